import { execFileSync } from "node:child_process";
import { basename, extname } from "node:path";

// The site stands below a path, as a project's pages do on a page host.
const url = process.env.SITE_URL ?? "https://show.example.org/podcast/";

export default function (eleventy) {
  eleventy.addGlobalData("url", url);
  eleventy.addFilter("absolute", (path) => new URL(path.replace(/^\//, ""), url).href);
  eleventy.addFilter("slug", (path) => basename(path, extname(path)));
  eleventy.addFilter("rfc822", (date) => date.toUTCString());
  eleventy.addFilter("rfc3339", (date) => date.toISOString());
  eleventy.addPassthroughCopy("src/audio");

  // Attaches torrents to each build that is to be published, and to none of `eleventy --serve`.
  eleventy.on("eleventy.after", ({ directories, runMode }) => {
    if (runMode === "build") {
      execFileSync("everseed", ["attach", "--site", directories.output, "--base-url", url], { stdio: "inherit" });
    }
  });

  return { dir: { input: "src", output: "_site" }, pathPrefix: new URL(url).pathname };
}
