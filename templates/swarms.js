// Keeps the status page current from api/swarms.json. Without it the page is whole, and its "Reload" link does the same.
"use strict";

(() => {
  const ANSWER_MAX_MS = 10_000;
  const HEALTH = {
    verified: () => "Verified",
    verifying: () => "Verifying",
    web_seed_only: () => "Web seed only",
    elsewhere: () => "Elsewhere",
    degraded: (torrent) => `Degraded: ${torrent.bad_pieces} of ${torrent.pieces} pieces bad`,
    missing: () => "Missing",
  };

  const main = document.querySelector("main");
  const table = main.querySelector("table");
  const body = table.tBodies[0];
  const blank = main.querySelector("template").content.querySelector("tr");
  const pause = main.querySelector(".pause");
  const stamp = main.querySelector(".stamp");
  const waitMs = Math.max(Number(main.dataset.refreshSecs) || 30, 2) * 1000;
  const url = new URL(`${main.dataset.base}api/swarms.json`, document.baseURI);
  let timer = 0;
  let asking = false;
  let paused = false;

  // Who reads with a screen reader or reads slowly must be able to hold the page still (WCAG 2.2.2).
  main.querySelector(".reload").hidden = true;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume updates" : "Pause updates";
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  timer = window.setTimeout(refresh, waitMs);

  async function refresh() {
    window.clearTimeout(timer);
    if (asking || paused || document.hidden) {
      return;
    }
    asking = true;
    try {
      const response = await fetch(url, {
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_MAX_MS),
      });
      if (!response.ok) {
        throw new Error(`${url} answered ${response.status}`);
      }
      show(await response.json());
      stamp.classList.remove("stale");
    } catch {
      // The stamp still tells how old the numbers are.
      stamp.classList.add("stale");
    }
    asking = false;
    timer = window.setTimeout(refresh, waitMs);
  }

  function show(answer) {
    showEverseed(answer.everseed);
    showTorrents(answer.torrents);
    const when = new Date(answer.generated * 1000).toISOString();
    put(stamp.querySelector("[data-stamp]"), `${when.slice(0, 10)} ${when.slice(11, 19)} UTC`);
  }

  function showEverseed(everseed) {
    const texts = { ...everseed, sent: size(everseed.sent_bytes) };
    for (const field of main.querySelectorAll("[data-everseed]")) {
      put(field, texts[field.dataset.everseed]);
    }
    const faults = main.querySelector(".faults");
    const list = faults.querySelector("ul");
    const shown = Array.from(list.children, (item) => item.textContent);
    // Left alone while it is the same, so that a screen reader says it once.
    if (JSON.stringify(shown) !== JSON.stringify(everseed.faults)) {
      list.replaceChildren(
        ...everseed.faults.map((fault) => {
          const item = document.createElement("li");
          item.textContent = fault;
          return item;
        }),
      );
      faults.hidden = everseed.faults.length === 0;
    }
  }

  function showTorrents(torrents) {
    const rows = new Map(Array.from(body.rows, (row) => [row.dataset.infoHash, row]));
    const named = new Set(torrents.map(nameOf));
    for (const [infoHash, row] of rows) {
      if (!named.has(infoHash)) {
        row.remove();
      }
    }
    torrents.forEach((torrent, place) => {
      const row = rows.get(nameOf(torrent)) ?? blank.cloneNode(true);
      fill(row, torrent);
      // A row that stands where it belongs is not moved: moving takes away the keyboard's focus.
      if (body.rows[place] !== row) {
        body.insertBefore(row, body.rows[place] ?? null);
      }
    });
    table.hidden = torrents.length === 0;
    main.querySelector(".empty").hidden = torrents.length !== 0;
  }

  // A torrent of v2 alone has no info-hash of v1.
  function nameOf(torrent) {
    return torrent.info_hash ?? torrent.info_hash_v2;
  }

  function fill(row, torrent) {
    row.dataset.infoHash = nameOf(torrent);
    row.dataset.health = torrent.health;
    const texts = {
      ...torrent,
      info_hash: nameOf(torrent),
      health: HEALTH[torrent.health]?.(torrent) ?? torrent.health,
      size: size(torrent.bytes),
      sent: size(torrent.sent_bytes),
      retired: torrent.retired ? `retired ${torrent.retired.slice(0, 10)}` : "",
    };
    for (const field of row.querySelectorAll("[data-cell]")) {
      put(field, texts[field.dataset.cell]);
    }
    const link = row.querySelector("a");
    if (torrent.page) {
      link.setAttribute("href", main.dataset.base + torrent.page);
    } else {
      link.removeAttribute("href");
    }
  }

  function put(field, value) {
    const text = value === undefined || value === null ? "–" : String(value);
    if (field.textContent !== text) {
      field.textContent = text;
    }
  }

  // Bytes as the server writes them: powers of 1000, one decimal from a kilobyte on.
  function size(bytes) {
    if (!Number.isFinite(bytes)) {
      return "–";
    }
    for (const [name, unit] of [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
      if (bytes >= unit) {
        return `${(bytes / unit).toFixed(1)} ${name}`;
      }
    }
    return `${bytes} B`;
  }
})();
