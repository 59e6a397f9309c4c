"use strict";
// Keeps the engineer's pages for when there is no network: what was seen last, else nothing.
const PAGES = "aftercare-pages";
const FILES = "aftercare-files";
const PATIENCE = 4000; // milliseconds; a network that takes longer is none to somebody at a door

const isFile = ({ pathname }) => pathname.includes("/static/");
const isPage = ({ pathname }) => ["/dispatch/app", "/dispatch/app/day"].includes(pathname) || /^\/dispatch\/tickets\/[^/]+\/page$/.test(pathname);

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => event.waitUntil(keep(event.data?.keep ?? [])));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (isFile(url)) event.respondWith(fileOf(request));
  else if (request.mode === "navigate" && isPage(url)) event.respondWith(pageOf(request, url));
});

/** A file's name changes with its content, so the one that is kept is right. */
async function fileOf(request) {
  const files = await caches.open(FILES);
  const kept = await files.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await files.put(request, response.clone());
  return response;
}

async function pageOf(request, url) {
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) });
    if (response.ok && !response.redirected) await put(url.pathname, response.clone());
    return response;
  } catch (gone) {
    const pages = await caches.open(PAGES);
    const kept = (await pages.match(url.pathname)) ?? (await pages.match("/dispatch/app"));
    if (kept) return marked(kept);
    throw gone;
  }
}

/** A page that was kept says so: by its own word of what the time is, every promise would stand still. */
async function marked(kept) {
  const headers = new Headers(kept.headers);
  for (const name of ["content-length", "content-encoding"]) headers.delete(name);
  return new Response((await kept.text()).replace("<html ", "<html data-kept "), { status: kept.status, headers });
}

async function put(path, response) {
  const pages = await caches.open(PAGES);
  await pages.put(path, response);
}

/** Fetches pages and files before somebody needs them, and forgets pages that are not asked for any more. */
async function keep(wanted) {
  if (!wanted.length) return;
  const urls = wanted.map((each) => new URL(each, location.origin));
  const pages = await caches.open(PAGES);
  const paths = new Set(urls.filter(isPage).map((url) => url.pathname));
  for (const request of await pages.keys()) if (!paths.has(new URL(request.url).pathname)) await pages.delete(request);
  for (const url of urls) {
    try {
      if (isFile(url)) await fileOf(new Request(url));
      else if (isPage(url)) {
        const response = await fetch(url, { credentials: "same-origin", headers: { accept: "text/html" } });
        if (response.ok && !response.redirected) await put(url.pathname, response);
      }
    } catch {
      return; // no network any more: the rest when it is back
    }
  }
}
