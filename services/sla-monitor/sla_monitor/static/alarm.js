"use strict";
// A sound on a new miss: none on a page that is opened, none for what came while the line was down, none twice.
// Browsers let a page sound after a click only; whoever wanted it before is asked for one.
(() => {
  const KEPT = "sla.sound";
  const RECENT = 60_000; // ms; an older miss that moves up into the list is no news
  let audio = null;

  /** Two falling tones, made here: no file, nothing fetched. */
  function sound() {
    for (const [at, pitch] of [[0, 880], [0.22, 660]]) {
      const tone = new OscillatorNode(audio, { frequency: pitch });
      const loudness = new GainNode(audio, { gain: 0 });
      const begins = audio.currentTime + at;
      loudness.gain.setValueAtTime(0, begins);
      loudness.gain.linearRampToValueAtTime(0.3, begins + 0.02);
      loudness.gain.exponentialRampToValueAtTime(0.001, begins + 0.2);
      tone.connect(loudness).connect(audio.destination);
      tone.start(begins);
      tone.stop(begins + 0.22);
    }
  }

  const wanted = () => localStorage.getItem(KEPT) === "on";
  const ready = () => wanted() && audio?.state === "running";

  function show() {
    for (const button of document.querySelectorAll(".sound")) {
      button.dataset.state = ready() ? "on" : wanted() ? "waits" : "off";
      button.textContent = button.dataset[button.dataset.state];
      button.setAttribute("aria-pressed", String(ready()));
    }
  }

  async function allow() {
    audio ??= new AudioContext();
    await audio.resume();
    show();
  }

  async function toggle() {
    localStorage.setItem(KEPT, ready() ? "off" : "on");
    if (wanted()) await allow();
    show();
  }

  function watch(list) {
    const known = new Set([...list.children].map((row) => row.dataset.row));
    new MutationObserver((changes) => {
      const added = changes.flatMap((change) => [...change.addedNodes]);
      const fresh = added.filter((row) => !known.has(row.dataset.row));
      for (const row of fresh) known.add(row.dataset.row);
      // Only what came as a change is marked so; a snapshot, at the beginning or after a gap, is not.
      const news = fresh.some((row) => row.classList.contains("changed") && Date.now() - Date.parse(row.dataset.told) < RECENT);
      if (!news || !ready()) return;
      sound();
      list.dataset.sounded = Number(list.dataset.sounded) + 1;
    }).observe(list, { childList: true });
  }

  document.addEventListener("DOMContentLoaded", () => {
    watch(document.querySelector("[data-alarm]"));
    for (const button of document.querySelectorAll(".sound")) button.addEventListener("click", toggle);
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() === "s" && !event.ctrlKey && !event.metaKey && !event.target.closest("input:not([type=checkbox]), select, textarea")) toggle();
    });
    document.addEventListener("pointerdown", (event) => wanted() && !event.target.closest(".sound") && allow());
    show();
  });
})();
