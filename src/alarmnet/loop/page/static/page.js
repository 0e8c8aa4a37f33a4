"use strict";
// Answers by keys and buttons. The server renders; this sends, retries and puts what comes back into place.
{
  const at = (id) => document.getElementById(id);
  const said = at("said");
  const verdicts = { a: "anomaly", n: "normal", u: "unsure" };
  const TRIES = 6;
  let busy = false;
  let fading = 0;

  const say = (words, alarm = false) => {
    said.textContent = words;
    said.classList.toggle("alarm", alarm);
    clearTimeout(fading);
    if (!alarm) fading = setTimeout(() => { said.textContent = ""; }, 2500);
  };
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  // A request that got no reply is sent again with the same id: the server keeps one answer for each id.
  const ask = async (path, body) => {
    const id = newId();
    for (let tried = 1; ; tried += 1) {
      try {
        const reply = await fetch(path, body === undefined ? {} : {
          method: "POST",
          headers: { "Content-Type": "application/json", "Idempotency-Key": id },
          body: JSON.stringify(body),
        });
        if (reply.ok) {
          if (tried > 1) say("");
          return await reply.json();
        }
        const words = await reply.text();
        if (reply.status !== 503 || tried === TRIES) {
          say(reply.status === 401 ? "The server was restarted: open the address that it printed." : words, true);
          return null;
        }
      } catch {
        if (tried === TRIES) {
          say("The server does not reply. This answer is not saved.", true);
          return null;
        }
      }
      say("Waiting for the server…", true);
      await pause(250 * 2 ** tried);
    }
  };

  // What the server makes from all answers may take a while: say so, and what went wrong.
  const download = async (link) => {
    if (busy) return;
    busy = true;
    try {
      say(`Making ${link.download}…`);
      clearTimeout(fading);
      const reply = await fetch(link.href);
      if (!reply.ok) { say(await reply.text(), true); return; }
      const made = document.createElement("a");
      made.href = URL.createObjectURL(await reply.blob());
      made.download = link.download;
      made.click();
      setTimeout(() => URL.revokeObjectURL(made.href), 60000);
      say(`${link.download} is made`);
    } catch {
      say("The server does not reply.", true);
    } finally { busy = false; }
  };
  const watchLearning = async () => {
    if (!document.querySelector("#learned [data-waits]")) return;
    await pause(1000);
    try {
      const reply = await fetch("/learned");
      if (reply.ok) at("learned").innerHTML = (await reply.json()).html;
    } catch { /* a download says so */ }
    watchLearning();
  };

  const row = at("row");
  const note = at("note");
  const article = () => row.querySelector("article");
  const chosenReason = () => document.querySelector("[data-reason][aria-pressed=true]:not(article)")?.dataset.reason ?? "";

  const showAnswer = () => {
    const shown = article().dataset;
    note.value = shown.note ?? "";
    for (const button of document.querySelectorAll(".verdicts button")) button.setAttribute("aria-pressed", String(button.dataset.verdict === shown.verdict));
    for (const button of document.querySelectorAll(".reasons button")) button.setAttribute("aria-pressed", String(button.dataset.reason === shown.reason));
  };
  const show = (reply) => {
    if (!reply) return;
    if (reply.row !== undefined) { row.innerHTML = reply.row; showAnswer(); }
    if (reply.side !== undefined && at("side").dataset.was !== reply.side) { at("side").innerHTML = reply.side; at("side").dataset.was = reply.side; }
    if (reply.said) say(reply.said);
  };
  const act = async (path, body) => {
    if (busy) return;
    busy = true;
    try { show(await ask(path, body)); } finally { busy = false; }
  };
  const answer = (verdict, group) => {
    const key = article().dataset.key;
    if (!key) return;
    const words = { key, verdict, note: note.value, reason: chosenReason(), group };
    at("alike").close();
    act("/answer", words);
  };
  const openAlike = async () => {
    const key = article().dataset.key;
    if (!key || busy) return;
    const reply = await ask("/alike", { key });
    if (!reply) return;
    at("alike").innerHTML = reply.html;
    at("alike").showModal();
  };
  const actions = {
    undo: () => act("/undo", {}),
    alike: openAlike,
    refit: () => act("/refit", {}),
    help: () => at("help").showModal(),
    close: () => { at("alike").close(); at("help").close(); },
  };

  const press = (button) => {
    const { verdict, move, action, reason, group } = button.dataset;
    if (verdict) answer(verdict, Boolean(group));
    else if (move) act("/move", { by: Number(move) });
    else if (action) actions[action]();
    else if (reason !== undefined) {
      const on = button.getAttribute("aria-pressed") !== "true";
      for (const other of document.querySelectorAll(".reasons button")) other.setAttribute("aria-pressed", String(other === button && on));
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && button.type === "button") press(button);
    const link = event.target.closest("a[data-made]");
    if (link) { event.preventDefault(); download(link); }
  });
  document.addEventListener("submit", async (event) => {
    if (event.target.dataset.action !== "reviewer") return;
    event.preventDefault();
    const reply = await ask("/reviewer", { reviewer: at("reviewer").value });
    if (reply) { say(reply.said); document.activeElement.blur(); }
  });
  at("reviewer").addEventListener("change", (event) => event.target.form.requestSubmit());
  document.addEventListener("change", async (event) => {
    if (!event.target.matches("[data-change]")) return;
    const key = event.target.closest("tr").dataset.key;
    const reply = await ask("/change", { key, verdict: event.target.value });
    if (reply) location.reload();
  });

  if (row) {
    const keysOn = at("keys-on");
    try { keysOn.checked = localStorage.getItem("keys") !== "off"; } catch { /* storage may be off */ }
    keysOn.addEventListener("change", () => { try { localStorage.setItem("keys", keysOn.checked ? "on" : "off"); } catch { /* as above */ } });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (event.target === note && (event.key === "Enter" || event.key === "Escape")) { note.blur(); event.preventDefault(); return; }
      if (event.target.matches("input, textarea, select") || !keysOn.checked) return;
      const inAlike = at("alike").open;
      if (at("help").open || (inAlike && !(event.key in verdicts))) return;
      const index = "123456789".indexOf(event.key);
      if (event.key in verdicts) {
        if (!inAlike || at("alike").querySelector("[data-group]")) answer(verdicts[event.key], inAlike);
      }
      else if (event.key === "z") actions.undo();
      else if (event.key === "g") actions.alike();
      else if (event.key === "r") actions.refit();
      else if (event.key === "?") actions.help();
      else if (event.key === "/") note.focus();
      else if (event.key === "ArrowLeft") act("/move", { by: -1 });
      else if (event.key === "ArrowRight") act("/move", { by: 1 });
      else if (index >= 0) { const chip = document.querySelectorAll(".reasons button")[index]; if (!chip) return; press(chip); }
      else return;
      event.preventDefault();
    });
    showAnswer();
    // Learning goes on in the background: look what has changed, and hold on to the row that is shown.
    const poll = async () => {
      try {
        if (!busy && !document.hidden) {
          const { key, unexplained } = article().dataset;
          const reply = await fetch(key && unexplained === undefined ? "/state" : "/state?row=1");
          const fresh = reply.ok ? await reply.json() : null;
          if (fresh && !busy && key && fresh.row !== undefined) {
            row.innerHTML = fresh.row;
            if (article().dataset.key === key) delete fresh.row; // the note that is being written stays
          }
          if (!busy) show(fresh);
        }
      } catch { /* the next answer says so */ }
      setTimeout(poll, article().dataset.unexplained === undefined ? 1500 : 300);
    };
    setTimeout(poll, 1000);
  }
  if (at("learned")) watchLearning();
}
