// Tells what parse-torrent reads in torrents: a JSON line for each path of the command line.
"use strict";

const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

async function main() {
  // A module of the newer kind, which neither `require` takes nor NODE_PATH finds.
  const module = join(process.env.NODE_PATH, "parse-torrent", "index.js");
  const { default: parse } = await import(pathToFileURL(module));
  for (const path of process.argv.slice(2)) {
    const torrent = await parse(new Uint8Array(readFileSync(path)));
    const files = torrent.files.filter((file) => !file.path.includes("/.pad/"));
    console.log(
      JSON.stringify({
        v1: torrent.infoHash,
        files: files.map((file) => [file.path, file.length]),
        pieces: torrent.pieces.length,
      }),
    );
  }
}

main();
