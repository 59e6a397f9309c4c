"use strict";
// Live pages. One stream per browser, shared by its tabs: this file is both the page's script and the shared
// worker's, whose timers and streams go on while every tab is in the background. Where there are no shared
// workers each tab keeps a stream of its own, with the same code behind a message channel.
(() => {
  const SILENCE = 40_000; // ms; the server says something every 15 s
  const SLOWEST_RETRY = 30_000;

  /** All feeds of one address, for every tab that shows one of them. */
  class Stream {
    constructor(url, lang, told) {
      Object.assign(this, { url, lang, told, tabs: new Map(), feeds: new Set(), rows: new Map(), state: "reconnecting", retries: 0 });
    }

    follow(tab, feeds) {
      this.tabs.set(tab, new Set(feeds));
      if (!feeds.every((feed) => this.feeds.has(feed))) this.open();
      for (const feed of feeds) {
        const rows = this.rows.get(feed);
        if (rows) this.told(tab, { kind: "snapshot", feed, rows: [...rows.values()] });
      }
      this.told(tab, { kind: "state", state: this.state });
    }

    leave(tab) {
      this.tabs.delete(tab);
      if (!this.tabs.size) this.close();
      return this.tabs.size;
    }

    open() {
      this.close();
      this.turn("reconnecting");
      this.feeds = new Set([...this.tabs.values()].flatMap((feeds) => [...feeds]));
      this.heard = Date.now();
      this.watchdog = setInterval(() => Date.now() - this.heard > SILENCE && this.open(), 5_000);
      const query = new URLSearchParams([["lang", this.lang], ...[...this.feeds].map((feed) => ["feed", feed])]);
      const address = `${this.url}?${query}`;
      const source = (this.source = new EventSource(address));
      for (const kind of ["snapshot", "rows", "state", "beat"]) {
        source.addEventListener(kind, (event) => this.hear(kind, JSON.parse(event.data)));
      }
      source.onerror = () => {
        this.turn("reconnecting"); // the browser tries again by itself, unless it was refused
        if (source.readyState === EventSource.CLOSED && source === this.source) this.ask(address);
      };
    }

    close() {
      this.source?.close();
      clearTimeout(this.retry);
      clearInterval(this.watchdog);
      this.source = this.retry = this.watchdog = null;
    }

    /** Why was the stream refused? A stream does not tell, an ordinary request does. */
    async ask(address) {
      const status = await fetch(address).then((answer) => (answer.body?.cancel(), answer.status), () => 0);
      if (status === 401 || status === 403) return this.end();
      const wait = Math.min(1_000 * 2 ** this.retries++, SLOWEST_RETRY);
      this.retry = setTimeout(() => this.tabs.size && this.open(), wait * (0.5 + Math.random() / 2));
    }

    end() {
      this.close();
      this.feeds.clear();
      this.rows.clear();
      this.turn("signed-out");
    }

    wake() {
      if (!this.source || Date.now() - this.heard > SILENCE / 2) this.open();
    }

    hear(kind, message) {
      this.heard = Date.now();
      this.retries = 0;
      if (kind === "beat") return;
      if (kind === "state") return this.turn(message.fresh ? "live" : "delayed");
      if (kind === "snapshot") this.rows.set(message.feed, new Map());
      const rows = this.rows.get(message.feed);
      for (const row of message.rows) row.html ? rows.set(row.id, row) : rows.delete(row.id);
      if (kind === "snapshot") this.turn("live");
      for (const [tab, feeds] of this.tabs) if (feeds.has(message.feed)) this.told(tab, { kind, ...message });
    }

    turn(state) {
      if (state === this.state) return;
      this.state = state;
      for (const tab of this.tabs.keys()) this.told(tab, { kind: "state", state });
    }
  }

  /** Connects tabs with streams; `viewing` is who they belong to, `lang` what they read. */
  class Hub {
    constructor(viewing, lang) {
      this.lang = lang;
      this.streams = new Map();
      // Whoever signs in or out in this browser ends what was shown to somebody else.
      new BroadcastChannel("aftercare").onmessage = ({ data }) => {
        if (data !== viewing) for (const stream of this.streams.values()) stream.end();
      };
    }

    connect(port) {
      port.onmessage = ({ data }) => {
        if (data.follow) this.at(data.follow).follow(port, data.feeds);
        if (data.wake) for (const stream of this.streams.values()) if (stream.tabs.has(port)) stream.wake();
        if (data.leave) for (const [url, stream] of this.streams) if (!stream.leave(port)) this.streams.delete(url);
      };
    }

    at(url) {
      if (!this.streams.has(url)) {
        this.streams.set(url, new Stream(url, this.lang, (tab, message) => tab.postMessage(message)));
      }
      return this.streams.get(url);
    }
  }

  if (typeof SharedWorkerGlobalScope !== "undefined" && self instanceof SharedWorkerGlobalScope) {
    const hub = new Hub(...self.name.split(" "));
    self.onconnect = (event) => hub.connect(event.ports[0]);
    return;
  }

  const script = document.currentScript.src;
  const { lang, dataset: { viewing } } = document.documentElement;
  let port = null;

  function connected() {
    if (port) return port;
    if (window.SharedWorker) {
      port = new SharedWorker(script, { name: `${viewing} ${lang}` }).port;
    } else {
      const channel = new MessageChannel();
      new Hub(viewing, lang).connect(channel.port1);
      port = channel.port2;
    }
    port.onmessage = ({ data }) => (data.kind === "state" ? showState(data.state) : applyRows(data));
    return port;
  }

  function follow() {
    const byUrl = Map.groupBy(document.querySelectorAll("[data-feed]"), (list) => list.dataset.liveUrl);
    for (const [url, lists] of byUrl) {
      connected().postMessage({ follow: url, feeds: [...new Set(lists.map((list) => list.dataset.feed))] });
    }
  }

  function applyRows({ kind, feed, rows }) {
    for (const list of document.querySelectorAll(`[data-feed="${CSS.escape(feed)}"]`)) {
      const ids = new Set(rows.map((row) => row.id));
      if (kind === "snapshot") for (const old of [...list.children]) if (!ids.has(old.dataset.row)) old.remove();
      for (const row of rows) applyRow(list, row, kind === "rows");
      const none = document.querySelector(`[data-empty-of="${CSS.escape(feed)}"]`);
      if (none) none.hidden = list.childElementCount > 0;
    }
  }

  function applyRow(list, row, flash) {
    const old = list.querySelector(`:scope > [data-row="${CSS.escape(row.id)}"]`);
    if (!row.html) return old?.remove();
    const fresh = parsed(row);
    if (old?.isEqualNode(fresh)) return;
    const focused = old ? focusable(old).indexOf(document.activeElement) : -1;
    old?.remove();
    list.insertBefore(fresh, [...list.children].find((other) => isAfter(other, row)) ?? null);
    focusable(fresh)[focused]?.focus();
    window.htmx?.process(fresh);
    if (flash) fresh.classList.add("changed");
  }

  /** The server's own fragment, escaped there; inside a template no script of it would run, and none may. */
  function parsed(row) {
    const template = document.createElement("template");
    template.innerHTML = row.html;
    return template.content.firstElementChild;
  }

  const focusable = (row) => [...row.querySelectorAll("a, button, input, select, textarea")];

  function isAfter(other, row) {
    const { order, row: id } = other.dataset;
    return order > row.order || (order === row.order && id > row.id);
  }

  function showState(state) {
    for (const place of document.querySelectorAll("[data-live-state]")) {
      if (place.dataset.liveState === state) continue;
      place.dataset.liveState = state;
      place.querySelector("[data-text]").textContent = place.dataset[state.replace("signed-out", "signedOut")];
    }
  }

  if (viewing) new BroadcastChannel("aftercare").postMessage(viewing);
  document.addEventListener("DOMContentLoaded", follow);
  document.addEventListener("htmx:load", (event) => event.target.querySelector?.("[data-feed]") && follow());
  document.addEventListener("visibilitychange", () => document.hidden || port?.postMessage({ wake: true }));
  window.addEventListener("pagehide", () => port?.postMessage({ leave: true }));
  window.addEventListener("pageshow", (event) => event.persisted && follow());
})();
