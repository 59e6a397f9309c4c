"use strict";
// An engineer's work goes on without a network. What is done then is kept on the phone, in order, and sent when there
// is a network again; the server takes each thing once, and says what could not be done any more.
(() => {
  let root = document.getElementById("phone"); // another one when htmx has put a new page in its place
  if (!root) return;
  const person = root.dataset.person;
  const moves = JSON.parse(root.dataset.moves);
  const AGAIN = 15000; // milliseconds until the next try where the server did not answer
  const MOST = 50; // the server takes so many at once

  // --- What is kept ---

  const database = new Promise((resolve, reject) => {
    const opening = indexedDB.open("aftercare-phone", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("deeds", { keyPath: "order", autoIncrement: true });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });

  async function store(mode, ask) {
    const transaction = (await database).transaction("deeds", mode);
    const asked = ask(transaction.objectStore("deeds"));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }

  const kept = async () => (await store("readonly", (deeds) => deeds.getAll())).filter((deed) => deed.person === person);

  /** Keeps what a form asks for; it follows what was kept of the same ticket before. */
  async function keep(form, ticket) {
    const data = new FormData(form);
    const fields = Object.fromEntries([...data].filter(([, value]) => typeof value === "string"));
    if (data.has("items")) fields.items = data.getAll("items"); // boxes, of which many may be ticked
    const { csrf, back, base_version: seen, ...said } = fields;
    const before = (await kept()).filter((deed) => deed.ticket_id === ticket).pop();
    const basis = before ? { after: before.id } : { base_version: Number(seen) };
    const deed = { person, id: crypto.randomUUID(), ticket_id: ticket, done_at: new Date().toISOString(), form: said, ...basis };
    await store("readwrite", (deeds) => deeds.add(deed));
  }

  // --- What is seen ---

  const ticketOf = (form) => /\/dispatch\/tickets\/([^/]+)\/page$/.exec(form.action)?.[1];
  const stateAfter = (state, deeds) => deeds.reduce((now, { form }) => moves[form.command] ?? now, state);

  async function show() {
    const deeds = await kept();
    const texts = [navigator.onLine ? "" : root.dataset.away, deeds.length ? root.dataset.waiting.replace("{}", deeds.length) : ""];
    root.hidden = !texts.some(Boolean);
    root.firstElementChild.textContent = texts.filter(Boolean).join(" ");
    for (const part of document.querySelectorAll("[data-ticket]")) showTicket(part, deeds.filter((deed) => deed.ticket_id === part.dataset.ticket));
  }

  /** The part of the page about a ticket, as it is after what is kept. */
  function showTicket(part, deeds) {
    const state = stateAfter(part.dataset.state, deeds);
    if (!deeds.length && part.dataset.shown === undefined) return;
    part.dataset.shown = state;
    for (const step of part.querySelectorAll("[data-step]")) step.hidden = step.dataset.step !== state;
    for (const form of part.querySelectorAll("[data-within]")) {
      form.hidden = !form.dataset.within.split(" ").includes(state);
      form.open ||= `#${form.id}` === location.hash; // where the big button led to
    }
    const note = part.querySelector("[data-kept]");
    if (!note) return;
    note.hidden = !deeds.length;
    note.firstElementChild.textContent = root.dataset.waiting.replace("{}", deeds.length);
  }

  // --- Doing ---

  async function taken(form, ticket) {
    await keep(form, ticket);
    await show();
    if (location.pathname !== "/dispatch/app") location.assign("/dispatch/app");
    else void send();
  }

  /** Without a network, or behind something that waits for one, a form is kept instead of sent. */
  function submit(event) {
    const ticket = ticketOf(event.target);
    if (!ticket || !event.target.elements.command || (navigator.onLine && root.hidden)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    void taken(event.target, ticket);
  }

  /** The network went away in between: whether the server heard it or not, it takes it once. */
  function unsent({ detail: { elt } }) {
    const form = elt.closest("form");
    const ticket = form && ticketOf(form);
    if (ticket && form.elements.command) void taken(form, ticket);
  }

  // --- Sending ---

  /** A page as it is now: of whom, and with what its forms prove where they come from. */
  async function token() {
    const response = await fetch("/dispatch/app", { headers: { accept: "text/html" }, cache: "no-store" });
    if (!response.ok || response.redirected) return null;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (page.getElementById("phone")?.dataset.person !== person) return null;
    return JSON.parse(page.body.getAttribute("hx-headers"))["X-CSRF-Token"];
  }

  async function post(deeds, csrf) {
    const commands = deeds.map(({ order, person: whose, ...deed }) => deed);
    const response = await fetch("/dispatch/app/commands", {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": csrf },
      body: JSON.stringify({ sent_at: new Date().toISOString(), commands }),
    });
    if (!response.ok) throw new Error(`${response.status}`);
    const { results } = await response.json();
    for (const deed of deeds) {
      if (results.some(({ id }) => id === deed.id)) await store("readwrite", (all) => all.delete(deed.order));
    }
  }

  let waiting;
  const send = () =>
    navigator.locks.request("aftercare-phone", async () => {
      clearTimeout(waiting);
      if (!navigator.onLine || !(await kept()).length) return;
      try {
        const csrf = await token();
        if (!csrf) {
          root.hidden = false;
          root.firstElementChild.textContent = root.dataset.signIn;
          return;
        }
        for (let deeds = await kept(); deeds.length; deeds = await kept()) await post(deeds.slice(0, MOST), csrf);
        location.assign("/dispatch/app");
      } catch {
        waiting = setTimeout(send, AGAIN);
      }
    });

  // --- Being ready ---

  async function prepare() {
    const worker = await navigator.serviceWorker.register("/dispatch/sw.js");
    if (localStorage.getItem("aftercare-person") !== person) await caches.delete("aftercare-pages");
    localStorage.setItem("aftercare-person", person);
    await navigator.serviceWorker.ready;
    if (location.pathname !== "/dispatch/app" || !navigator.onLine) return;
    const links = [...document.querySelectorAll(".job a.title")].map((link) => link.pathname);
    const files = [...document.querySelectorAll("script[src], link[rel=stylesheet], link[rel=icon], img[src]")].map((file) => file.src || file.href);
    worker.active?.postMessage({ keep: ["/dispatch/app", ...links, ...files] });
  }

  document.addEventListener("submit", submit, true);
  document.addEventListener("submit", ({ target }) => target.action.endsWith("/sign-out") && caches.delete("aftercare-pages"));
  document.addEventListener("htmx:sendError", unsent);
  document.addEventListener("htmx:afterSettle", () => {
    root = document.getElementById("phone") ?? root;
    void show();
  });
  addEventListener("online", () => void show().then(send));
  addEventListener("offline", () => void show());
  new MutationObserver(() => void show()).observe(document.querySelector(".jobs") ?? root, { childList: true });
  void show().then(send);
  if ("serviceWorker" in navigator) void prepare();
})();
