// An integration that attaches torrents to each build: `integrations: [everseed()]` in astro.config.mjs.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export default function everseed() {
  let address;
  return {
    name: "everseed",
    hooks: {
      "astro:config:done": ({ config }) => {
        // With the slash at its end, which `base` may lack.
        address = new URL(`${config.base}/`.replace(/\/+$/, "/"), config.site).href;
      },
      "astro:build:done": ({ dir }) => {
        const args = ["attach", "--site", fileURLToPath(dir), "--base-url", address];
        execFileSync("everseed", args, { stdio: "inherit" });
      },
    },
  };
}
