// Makes the links to chapters steer the player of the page, and marks the chapter that plays.
// Without it they lead to the medium itself, at the chapter's time.
"use strict";

(() => {
  const player = document.querySelector("audio.player, video.player");
  const links = [...document.querySelectorAll(".chapters a[data-start]")];
  if (!player) {
    return;
  }

  const start = (link) => Number(link.dataset.start);

  for (const link of links) {
    link.addEventListener("click", (event) => {
      // Whoever asks for another tab or window gets it.
      if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
        return;
      }
      event.preventDefault();
      player.currentTime = start(link);
      // A player that is not allowed to play, or can't, says so by itself.
      player.play().catch(() => {});
    });
  }

  function mark() {
    const current = links.findLast((link) => start(link) <= player.currentTime);
    for (const link of links) {
      if (link === current) {
        link.setAttribute("aria-current", "true");
      } else {
        link.removeAttribute("aria-current");
      }
    }
  }

  player.addEventListener("timeupdate", mark);
  player.addEventListener("seeking", mark);
})();
