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
    const opening = indexedDB.open("aftercare-phone", 2);
    opening.onupgradeneeded = () => {
      const there = opening.result.objectStoreNames;
      // "deeds" are commands, "pieces" what goes after them: photos and signatures with their bytes.
      for (const name of ["deeds", "pieces"]) if (!there.contains(name)) opening.result.createObjectStore(name, { keyPath: "order", autoIncrement: true });
    };
    opening.onsuccess = () => {
      opening.result.onversionchange = () => opening.result.close(); // a newer page waits for this one
      resolve(opening.result);
    };
    opening.onerror = () => reject(opening.error);
  });

  async function store(mode, ask, name = "deeds") {
    const transaction = (await database).transaction(name, mode);
    const asked = ask(transaction.objectStore(name));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? asked.error);
    });
  }

  const mine = (all) => all.filter((each) => each.person === person);
  const kept = async () => mine(await store("readonly", (deeds) => deeds.getAll()));
  const loose = new Map(); // by id: pieces that the full storage of the phone did not take
  const pieces = async () => [...mine(await store("readonly", (all) => all.getAll(), "pieces")), ...loose.values()];

  /** What comes next follows the last command of its ticket that was not sent yet, else the ticket as it was seen. */
  async function basis(ticket, seen) {
    const before = (await kept()).filter((deed) => deed.ticket_id === ticket).pop();
    return before ? { after: before.id } : { base_version: Number(seen) };
  }

  /** Keeps a photo or a signature; whether the phone had room for it. Without room it stays in this page. */
  async function keepPiece(ticket, seen, said) {
    const piece = { person, id: crypto.randomUUID(), ticket_id: ticket, device_time: new Date().toISOString(), ...(await basis(ticket, seen)), ...said };
    let roomy = true;
    try {
      await store("readwrite", (all) => all.add(piece), "pieces");
      void navigator.storage?.persist?.(); // not to be thrown away when the phone runs short
    } catch {
      roomy = false;
      loose.set(piece.id, piece);
    }
    await show();
    void send();
    return roomy;
  }

  async function dropPiece(piece) {
    loose.delete(piece.id);
    if (piece.order !== undefined) await store("readwrite", (all) => all.delete(piece.order), "pieces");
  }

  async function markPiece(piece, marks) {
    Object.assign(piece, marks);
    if (piece.order !== undefined) await store("readwrite", (all) => all.put(piece), "pieces");
  }

  /** Keeps what a form asks for; it follows what was kept of the same ticket before. */
  async function keep(form, ticket) {
    const data = new FormData(form);
    const fields = Object.fromEntries([...data].filter(([, value]) => typeof value === "string"));
    if (data.has("items")) fields.items = data.getAll("items"); // boxes, of which many may be ticked
    const { csrf, back, base_version: seen, ...said } = fields;
    const on = await basis(ticket, seen);
    const deed = { person, id: crypto.randomUUID(), ticket_id: ticket, done_at: new Date().toISOString(), form: said, ...on };
    await store("readwrite", (deeds) => deeds.add(deed));
  }

  // --- What is seen ---

  const ticketOf = (form) => /\/dispatch\/tickets\/([^/]+)\/page$/.exec(form.action)?.[1];
  const stateAfter = (state, deeds) => deeds.reduce((now, { form }) => moves[form.command] ?? now, state);

  let following = false; // whether commands wait that others have to follow

  const megabytes = (all) => Math.max(0.1, all.reduce((sum, { size }) => sum + (size ?? 0), 0) / 1e6).toFixed(1);

  async function show() {
    const [deeds, all] = [await kept(), await pieces()];
    const [waits, refused] = [all.filter(({ problem }) => !problem), all.filter(({ problem }) => problem)];
    following = deeds.length > 0;
    const texts = [
      navigator.onLine ? "" : root.dataset.away,
      deeds.length ? root.dataset.waiting.replace("{}", deeds.length) : "",
      waits.length ? root.dataset.pictures.replace("{}", waits.length).replace("{size}", megabytes(waits)) : "",
      refused.length ? root.dataset.refusals.replace("{}", refused.length) : "",
    ];
    root.hidden = !texts.some(Boolean);
    document.body.toggleAttribute("data-offline", !navigator.onLine);
    dispatchEvent(new CustomEvent("aftercare:pieces", { detail: all }));
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
    if (!ticket || !event.target.elements.command || (navigator.onLine && !following)) return;
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

  const FINAL = [400, 403, 404, 409, 410, 412, 413, 415, 422]; // of these the same again would say the same

  function photoOf({ blob, kind, caption, device_time }) {
    const form = new FormData();
    for (const [name, value] of Object.entries({ kind, caption, device_time, sent_at: new Date().toISOString() })) form.set(name, value);
    form.set("photo", blob, "photo");
    return form;
  }

  function signatureOf({ signer, work_note, strokes, device_time, after, base_version }) {
    return JSON.stringify({ signer, work_note, strokes, device_time, after, base_version, sent_at: new Date().toISOString() });
  }

  /** What to ask of which door: (method, path, body, further headers). */
  function request({ what, ...piece }) {
    const ticket = `/dispatch/tickets/${piece.ticket_id}`;
    const json = { "content-type": "application/json" };
    if (what === "photo") return ["PUT", `${ticket}/photos/${piece.id}`, photoOf(piece), {}];
    if (what === "signature") return ["PUT", `${ticket}/signatures/${piece.id}`, signatureOf(piece), json];
    const once = { "idempotency-key": piece.id, "if-match": `"${piece.version}"` };
    const parts = `/parts/requisitions/${piece.requisition}`;
    return piece.lines.length ? ["POST", `${parts}/use`, JSON.stringify({ lines: piece.lines }), { ...json, ...once }] : ["POST", `${parts}/release`, undefined, once];
  }

  /** Sends one piece; by its id the server takes it once, however often it comes. */
  async function bring(piece, csrf) {
    const [method, path, body, more] = request(piece);
    const response = await fetch(path, { method, body, headers: { accept: "application/json", "x-csrf-token": csrf, ...more } });
    if (response.ok) return dropPiece(piece);
    const { type, title, detail } = await response.json().catch(() => ({}));
    if (!FINAL.includes(response.status) || type?.endsWith("/request-in-progress")) throw new Error(`${response.status}`);
    const problem = detail || title || `${response.status}`;
    // Of an erased customer nothing stays on the phone either.
    await markPiece(piece, response.status === 410 ? { problem, blob: null, strokes: null, signer: "", work_note: "", caption: "" } : { problem });
  }

  async function bringAll(csrf) {
    for (const piece of await pieces()) {
      if (piece.problem) continue;
      await bring(piece, csrf);
      await show();
    }
    dispatchEvent(new CustomEvent("aftercare:brought"));
  }

  let waiting;
  const send = () =>
    navigator.locks.request("aftercare-phone", async () => {
      clearTimeout(waiting);
      const ahead = (await kept()).length;
      if (!navigator.onLine || !(ahead || (await pieces()).some(({ problem }) => !problem))) return;
      try {
        const csrf = await token();
        if (!csrf) {
          root.hidden = false;
          root.firstElementChild.textContent = root.dataset.signIn;
          return;
        }
        for (let deeds = await kept(); deeds.length; deeds = await kept()) await post(deeds.slice(0, MOST), csrf);
        await bringAll(csrf); // after the commands that they belong to
        if (ahead) location.assign("/dispatch/app");
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
    worker.active?.postMessage({ keep: ["/dispatch/app", ...links, "/dispatch/app/day", ...files] });
  }

  window.aftercarePhone = { keepPiece, dropPiece, show, kept };
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
