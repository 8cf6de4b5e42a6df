// Fills the live numbers of a swarm into the page, from the JSON that `everseed serve` gives.
// The elements stay hidden until an answer has come, and hide again when the numbers have gone stale:
// a site on a page host, or a server that is down, shows a page without them and says nothing.
"use strict";

(() => {
  const REFRESH_MS = 30_000;
  // After failures the waits double up to this.
  const REFRESH_MAX_MS = 8 * 60_000;
  const ANSWER_MAX_MS = 10_000;
  // Numbers older than this are no longer shown.
  const STALE_MS = 2 * 60_000;

  for (const element of document.querySelectorAll("[data-swarms][data-info-hash]")) {
    watch(element);
  }

  function watch(element) {
    const url = new URL(element.dataset.swarms, document.baseURI);
    url.searchParams.set("info_hash", element.dataset.infoHash);
    let timer = 0;
    let asking = false;
    let wait = REFRESH_MS;
    let answered = 0;

    async function refresh() {
      window.clearTimeout(timer);
      if (asking || document.hidden) {
        return;
      }
      asking = true;
      try {
        show(element, await ask(url, element.dataset.infoHash));
        answered = Date.now();
        wait = REFRESH_MS;
      } catch {
        wait = Math.min(wait * 2, REFRESH_MAX_MS);
        if (Date.now() - answered > STALE_MS) {
          element.hidden = true;
        }
      }
      asking = false;
      timer = window.setTimeout(refresh, wait);
    }

    document.addEventListener("visibilitychange", refresh);
    refresh();
  }

  async function ask(url, infoHash) {
    const response = await fetch(url, {
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(ANSWER_MAX_MS),
    });
    if (!response.ok) {
      throw new Error(`${url} answered ${response.status}`);
    }
    const answer = await response.json();
    // A torrent of v2 alone goes by the first 40 digits of its info-hash.
    const swarm = answer.torrents.find(
      (torrent) => torrent.info_hash === infoHash || torrent.info_hash_v2?.startsWith(infoHash),
    );
    if (!swarm) {
      throw new Error(`${url} does not know ${infoHash}`);
    }
    return swarm;
  }

  function show(element, swarm) {
    for (const field of element.querySelectorAll("[data-count]")) {
      const count = swarm[field.dataset.count];
      field.textContent = Number.isSafeInteger(count) && count >= 0 ? count.toLocaleString() : "–";
    }
    element.hidden = false;
  }
})();
