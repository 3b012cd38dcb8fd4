// Keys, live updates, and parts of pages that change in place. Everything works without this script, by links and forms.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const announce = (text) => { $("#announcement").textContent = text; };
  const MARK = "zerver-compare";

  // Loads a page as an inert document: no text becomes script, and nothing in it is fetched.
  let loading = null;
  const load = (url, body) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(body ? "POST" : "GET", url);
    request.responseType = "document";
    if (body) request.setRequestHeader("content-type", "application/x-www-form-urlencoded");
    request.onload = () => (request.response ? resolve(request.response) : reject(new Error("no page")));
    request.onerror = () => reject(new Error("no answer"));
    request.onabort = () => reject(new Error("replaced"));
    request.send(body || null);
    if (!body) { if (loading) loading.abort(); loading = request; }
  });

  // Replaces a part of this page with the same part of another.
  const swap = (page, id) => {
    const from = $("#" + id, page), to = $("#" + id);
    if (!from || !to) return false;
    const active = document.activeElement;
    const path = to.contains(active) ? place(active, to) : null;
    const scrolled = $$(".scroll, .events", to).map((part) => [part.scrollTop, part.scrollLeft]);
    const unfolded = $$("details", to).map((part) => part.open);
    const now = document.importNode(from, true);
    to.replaceWith(now);
    $$(".scroll, .events", now).forEach((part, at) => { if (scrolled[at]) [part.scrollTop, part.scrollLeft] = scrolled[at]; });
    $$("details", now).forEach((part, at) => { if (unfolded[at]) part.open = true; });
    const again = path && path(now);
    if (again) again.focus({ preventScroll: true });
    return true;
  };
  // Remembers an element in a way that finds its successor in a new version of the page.
  const place = (element, root) => {
    if (element.id) return (now) => now.querySelector("#" + CSS.escape(element.id));
    const row = element.closest("[data-row]");
    if (row) return (now) => $(`[data-row="${CSS.escape(row.dataset.row)}"] a.open`, now) || $("a.open", now);
    if (element.dataset.key) return (now) => $(`[data-key="${CSS.escape(element.dataset.key)}"]`, now);
    const at = $$("a, button, input", root).indexOf(element);
    return (now) => $$("a, button, input", now)[at];
  };

  const go = (url, id) => {
    const part = $("#" + id);
    if (part) part.classList.add("busy");
    load(url).then((page) => {
      if (!swap(page, id)) { location.assign(url); return; }
      history.replaceState(null, "", url);
      if (id === "detail") {
        const row = new URL(url, location.href).searchParams.get("row");
        $$("tr.selected").forEach((old) => { old.classList.remove("selected"); $("a.open", old)?.removeAttribute("aria-current"); });
        const chosen = $(`tr[data-row="${CSS.escape(row)}"]`);
        if (chosen) { chosen.classList.add("selected"); $("a.open", chosen)?.setAttribute("aria-current", "true"); }
      }
      const heading = $("#" + id + " h2, #" + id + " .verdict");
      if (heading) announce(heading.textContent);
    }).catch((error) => { if (error.message !== "replaced") location.assign(url); });
  };

  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a[data-swap]");
    if (link) { event.preventDefault(); go(link.href, link.dataset.swap); return; }
    if (event.target.closest("#help-link")) { event.preventDefault(); $("#help").showModal(); return; }
    if (event.target.closest("#live-button")) { event.preventDefault(); toggleLive(); return; }
    if (event.target.closest("#compare-mark")) { event.preventDefault(); sessionStorage.removeItem(MARK); showMark(); return; }
    const fill = event.target.closest("[data-fill]");
    if (fill) {
      const box = $(`[name="${CSS.escape(fill.dataset.fill)}"]`);
      if (!box.value) box.value = fill.dataset.value;
      box.focus();
      return;
    }
    const row = event.target.closest("tr[data-row]");
    if (row && !event.target.closest("a, button, input, select, textarea, summary") && !String(getSelection())) $("a.open", row)?.click();
  });
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (input.type === "range" && input.dataset.swap) go(input.form.action + "?at=" + input.value, input.dataset.swap);
  });

  // A form that takes its time says so, and its result appears in place.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.busy) return;
    event.preventDefault();
    const buttons = $$("button", form);
    buttons.forEach((button) => { button.disabled = true; });
    const result = $("#result");
    const note = document.createElement("p");
    note.className = "notice";
    note.textContent = form.dataset.busy;
    result.replaceChildren(note);
    load(form.action, new URLSearchParams(new FormData(form)).toString())
      .then((page) => { if (!swap(page, "result")) result.textContent = $("main", page)?.textContent || ""; })
      .catch(() => { result.textContent = "The server did not answer. Is it still running?"; })
      .finally(() => { buttons.forEach((button) => { button.disabled = false; }); $("#result").scrollIntoView({ block: "nearest" }); });
  });

  // Live updates: the page fetches itself when the store has something new.
  let events = null, isPaused = false, isStale = false;
  const refresh = () => {
    if (document.hidden) { isStale = true; return; }
    isStale = false;
    load(location.href).then((page) => { swap(page, "live"); showMark(); showLive(); }).catch(() => {});
  };
  const follow = () => {
    const live = $("#live");
    if (events) { events.close(); events = null; }
    if (!live || !live.dataset.events || isPaused || document.hidden) return;
    events = new EventSource(live.dataset.events);
    events.addEventListener("requests", refresh);
  };
  const showLive = () => {
    const button = $("#live-button");
    if (!button) return;
    button.hidden = !$("#live").dataset.events;
    button.setAttribute("aria-pressed", String(!isPaused));
    button.textContent = isPaused ? "Paused" : "Live";
  };
  const toggleLive = () => {
    isPaused = !isPaused;
    showLive();
    follow();
    announce(isPaused ? "Live updates paused" : "Live updates resumed");
    if (!isPaused) refresh();
  };
  document.addEventListener("visibilitychange", () => { follow(); if (!document.hidden && isStale) refresh(); });
  // A browser limits the connections to a server, so a page that is left gives its connection back.
  addEventListener("pagehide", () => { if (events) events.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
  const poll = $("[data-refresh]");
  if (poll) {
    setInterval(() => {
      if (!document.hidden) load(location.href).then((page) => swap(page, poll.id)).catch(() => {});
    }, Number(poll.dataset.refresh));
  }

  // The first request of a comparison.
  const showMark = () => {
    const marked = sessionStorage.getItem(MARK);
    $$("tr.marked").forEach((row) => row.classList.remove("marked"));
    if (marked) $(`tr[data-row="${CSS.escape(marked)}"]`)?.classList.add("marked");
    const button = $("#compare-mark");
    if (button) { button.hidden = !marked; button.textContent = marked ? `Compare with ${marked.slice(0, 13)}…: d · clear` : ""; }
  };

  // Rows: the focus moves from link to link.
  const rows = () => $$("[data-row]").filter((row) => $("a.open", row));
  const current = () => document.activeElement?.closest?.("[data-row]") || null;
  const move = (by) => {
    const all = rows();
    if (!all.length) return;
    const selected = current() || $("tr.selected") || $("[aria-current='step']")?.closest("[data-row]");
    const at = all.indexOf(selected);
    const next = Math.min(Math.max(at < 0 ? 0 : by === Infinity ? all.length - 1 : by === -Infinity ? 0 : at + by, 0), all.length - 1);
    const link = $("a.open", all[next]);
    link.focus();
    all[next].scrollIntoView({ block: "nearest" });
  };
  const isTyping = (element) => element.matches?.("input:not([type=range]), textarea, select");

  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
    if ($("#help").open) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const isRange = event.target.type === "range";
    switch (event.key) {
      case "j": case "ArrowDown": if (!isRange) { move(1); event.preventDefault(); } return;
      case "k": case "ArrowUp": if (!isRange) { move(-1); event.preventDefault(); } return;
      case "g": move(-Infinity); return;
      case "G": move(Infinity); return;
      case "Enter": return;
      case "n": case "N": {
        const all = rows(), at = all.indexOf(current()), by = event.key === "n" ? 1 : -1;
        for (let next = at + by; next >= 0 && next < all.length; next += by) {
          if (!all[next].matches("[data-failed]")) continue;
          $("a.open", all[next]).focus();
          all[next].scrollIntoView({ block: "nearest" });
          return;
        }
        announce("No further failure on this page");
        return;
      }
      case "/": { const box = $("#query"); if (box) { box.focus(); box.select(); event.preventDefault(); } return; }
      case "?": $("#help").showModal(); return;
      case "Escape": if (history.length > 1) history.back(); return;
      case "f": if ($("#live-button")) toggleLive(); return;
      case "m": {
        const row = current();
        if (row && $("#live")) { sessionStorage.setItem(MARK, row.dataset.row); showMark(); announce("First request of a comparison set"); }
        return;
      }
      case "d": {
        const row = current(), marked = sessionStorage.getItem(MARK);
        if (!row || !$("#live")) return;
        if (marked && marked !== row.dataset.row) location.assign(`/diff?a=${marked}&b=${row.dataset.row}`);
        else { sessionStorage.setItem(MARK, row.dataset.row); showMark(); announce("First request of a comparison set: choose the other and press d"); }
        return;
      }
      case "y": {
        const id = $("#request-id");
        if (id && navigator.clipboard) navigator.clipboard.writeText(id.textContent).then(() => announce("Id copied"), () => announce("The id could not be copied"));
        return;
      }
      default: {
        const link = /^[a-z0-9[\]]$/.test(event.key) && $(`[data-key="${event.key}"]`) || (event.key === "4" && $('[data-key="r"]'));
        if (link) { event.preventDefault(); link.click(); }
      }
    }
  });

  // The heat map: a part of it, chosen with the mouse, opens as a list.
  const heat = $("#heat");
  if (heat) {
    const brush = $("#brush"), times = heat.dataset.times.split(" "), bounds = heat.dataset.bounds.split(" ");
    const left = Number(heat.dataset.left), width = Number(heat.dataset.cellWidth), height = Number(heat.dataset.cellHeight);
    const clamp = (value, most) => Math.min(Math.max(value, 0), most);
    const cell = (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(heat.getScreenCTM().inverse());
      return [clamp(Math.floor((at.x - left) / width), times.length - 2), clamp(Math.floor(at.y / height), bounds.length - 2)];
    };
    let start = null, end = null;
    heat.addEventListener("pointerdown", (event) => { start = end = cell(event); });
    heat.addEventListener("dragstart", (event) => event.preventDefault());
    addEventListener("pointermove", (event) => {
      if (!start) return;
      end = cell(event);
      const x = [start[0], end[0]].sort((a, b) => a - b), y = [start[1], end[1]].sort((a, b) => a - b);
      const set = (name, value) => brush.setAttribute(name, value);
      set("x", left + x[0] * width); set("width", (x[1] - x[0] + 1) * width);
      set("y", y[0] * height); set("height", (y[1] - y[0] + 1) * height);
    });
    addEventListener("pointerup", () => {
      const [from, to] = [start, end];
      start = null;
      if (!from || (from[0] === to[0] && from[1] === to[1])) return;
      const x = [from[0], to[0]].sort((a, b) => a - b), y = [from[1], to[1]].sort((a, b) => a - b), last = bounds.length - 1;
      const query = heat.dataset.query, own = query.includes(" or ") ? `(${query})` : query;
      const part = `took>=${bounds[last - 1 - y[1]]} took<${bounds[last - y[0]]} since:"${times[x[0]]}" until:"${times[x[1] + 1]}"`;
      location.assign("/?" + new URLSearchParams({ q: `${own} ${part}`.trim(), sort: "took" }));
    });
  }

  $$("[data-fill]").forEach((button) => { button.hidden = false; });
  showMark();
  showLive();
  follow();
  // The event of the slider is in view.
  $(".events [aria-current]")?.scrollIntoView({ block: "nearest" });
})();
