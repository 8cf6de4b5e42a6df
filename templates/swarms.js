// Keeps the status page current: it asks for the page again and takes over what has changed. Without it the page is
// whole, and its "Reload" link does the same.
"use strict";

(() => {
  const ANSWER_MAX_MS = 10_000;

  const main = document.querySelector("main");
  const pause = main.querySelector(".pause");
  const stamp = main.querySelector(".stamp");
  const waitMs = Math.max(Number(main.dataset.refreshSecs) || 30, 2) * 1000;
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
      const response = await fetch(document.location.href, {
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_MAX_MS),
      });
      if (!response.ok) {
        throw new Error(`the page is answered with ${response.status}`);
      }
      show(new DOMParser().parseFromString(await response.text(), "text/html"));
      stamp.classList.remove("stale");
    } catch {
      // The stamp still tells how old the numbers are.
      stamp.classList.add("stale");
    }
    asking = false;
    timer = window.setTimeout(refresh, waitMs);
  }

  function show(fresh) {
    for (const part of main.querySelectorAll("[data-live]")) {
      const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (other) {
        take(part, other);
      }
    }
  }

  // Makes `old` what `fresh` is, and leaves alone what is the same: so the keyboard's focus stays where it is, what was
  // opened stays open, and a screen reader says what is new and no more.
  function take(old, fresh) {
    if (old.isEqualNode(fresh)) {
      return;
    }
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(document.importNode(fresh, true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = fresh.nodeValue;
      return;
    }
    takeAttributes(old, fresh);
    const keyed = new Map(Array.from(old.children, (child) => [child.dataset.key, child]));
    keyed.delete(undefined);
    let place = old.firstChild;
    for (const child of Array.from(fresh.childNodes)) {
      const known = child.dataset?.key === undefined ? place : keyed.get(child.dataset.key);
      if (!known || (known.dataset?.key !== child.dataset?.key)) {
        old.insertBefore(document.importNode(child, true), place);
        continue;
      }
      // What stands where it belongs is not moved: moving takes away the focus.
      if (known !== place) {
        old.insertBefore(known, place);
      }
      const next = known.nextSibling;
      take(known, child);
      place = next;
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  function takeAttributes(old, fresh) {
    for (const { name } of Array.from(old.attributes)) {
      const isReaders = name === "open" && old.nodeName === "DETAILS";
      if (!isReaders && !fresh.hasAttribute(name)) {
        old.removeAttribute(name);
      }
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) {
        old.setAttribute(name, value);
      }
    }
  }
})();
