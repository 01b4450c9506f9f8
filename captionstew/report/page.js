"use strict";
// One page, no network: players, a filter, keys, a larger spectrogram, a theme.
const root = document.documentElement;
const all = (pick, within = document) => [...within.querySelectorAll(pick)];
const one = (pick, within = document) => within.querySelector(pick);
root.classList.add("scripted");

// Players: one sound at a time.
let playing = null;
function setUp(sound) {
  const audio = one("audio", sound), button = one(".play", sound);
  if (!audio || !button) return;
  const seek = one(".seek", sound), clock = one(".clock", sound), outline = one(".outline", sound);
  const past = outline.cloneNode();  // of what was heard, in the accent
  past.setAttribute("class", "past");
  outline.after(past);
  const whole = Number(seek.max), label = button.getAttribute("aria-label"), text = clock.textContent;
  audio.removeAttribute("controls");
  let frame = 0;
  const draw = () => {
    const at = Math.min(audio.currentTime, whole);
    past.style.clipPath = `inset(0 ${100 - 100 * at / whole}% 0 0)`;
    if (document.activeElement !== seek || !audio.paused) seek.value = at;
    seek.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${whole.toFixed(1)} seconds`);
    clock.textContent = at > 0 ? `${at.toFixed(1)} s` : text;
    if (!audio.paused) frame = requestAnimationFrame(draw);
  };
  const show = () => {
    button.setAttribute("aria-pressed", String(!audio.paused));
    button.setAttribute("aria-label", audio.paused ? label : label.replace("Play", "Stop"));
    cancelAnimationFrame(frame);
    draw();
  };
  audio.addEventListener("play", () => {
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    show();
  });
  audio.addEventListener("pause", show);
  audio.addEventListener("seeked", draw);
  audio.addEventListener("ended", show);
  audio.addEventListener("error", () => { clock.textContent = "this browser cannot play Opus"; });
  button.addEventListener("click", () => toggle(audio));
  seek.addEventListener("input", () => { audio.currentTime = Number(seek.value); draw(); });
  draw();
}
function toggle(audio) {
  if (audio.paused) audio.play().catch(() => {}); else audio.pause();
}
all(".sound").forEach(setUp);

// Filter: every word must be in the clip's text; a chip is a word too.
const clips = all("article.clip"), box = one("#filter"), shown = one("#shown"), chips = all(".chip");
const heaps = new Map(clips.map((clip) => [clip, `${clip.dataset.words} ${clip.textContent.toLowerCase()}`]));
function filter() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const corpora = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.word);
  let number = 0;
  for (const clip of clips) {
    const corpus = one(".meta span", clip).textContent;
    const fits = words.every((word) => heaps.get(clip).includes(word)) && (!corpora.length || corpora.includes(corpus));
    clip.hidden = !fits;
    number += fits;
  }
  shown.textContent = `${number} of ${clips.length}`;
  if (playing && playing.closest("[hidden]")) playing.pause();
}
if (box) {
  box.addEventListener("input", filter);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      filter();
    });
  }
}

// Clips by key.
let current = null;
const go = (clip) => {
  current = clip;
  clip.focus({preventScroll: true});
  clip.scrollIntoView({block: "center", behavior: still.matches ? "auto" : "smooth"});
};
const still = matchMedia("(prefers-reduced-motion: reduce)");
function step(by) {
  const visible = clips.filter((clip) => !clip.hidden);
  if (!visible.length) return;
  const at = visible.indexOf(current);
  go(visible[at < 0 ? (by > 0 ? 0 : visible.length - 1) : Math.min(visible.length - 1, Math.max(0, at + by))]);
}
for (const clip of clips) clip.addEventListener("focusin", () => { current = clip; });

// The larger spectrogram, with axes.
const large = one("#large");
const make = (tag, about, inside = "") => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) made.setAttribute(name, value);
  made.textContent = inside;
  return made;
};
const hertz = (value) => (value >= 1000 ? `${value / 1000} kHz` : `${value} Hz`);
function enlarge(button) {
  const plot = make("div", {class: "plot"}), seconds = Number(button.dataset.seconds);
  const picture = one("img", button).cloneNode();
  picture.removeAttribute("width");
  picture.removeAttribute("height");
  picture.loading = "eager";
  plot.append(picture);
  for (const tick of button.dataset.ticks.split(" ").filter(Boolean)) {
    const [value, at] = tick.split(":").map(Number), mark = make("span", {class: "up"}, hertz(value));
    mark.style.bottom = `${at * 100}%`;
    plot.append(mark);
  }
  const every = [0.1, 0.2, 0.5, 1, 2, 5, 10].find((gap) => seconds / gap <= 6) ?? 30;
  for (let at = 0; at <= seconds + 1e-6; at += every) {
    const mark = make("span", {class: "across"}, `${Number(at.toFixed(1))}`);
    mark.style.left = `${100 * at / seconds}%`;
    plot.append(mark);
  }
  const close = make("button", {type: "button", class: "close"}, "Close");
  close.addEventListener("click", () => large.close());
  const scale = make("p", {class: "note"}, "Time (s) across, frequency (mel scale) up; bright is loud, 70 dB from black to white.");
  large.replaceChildren(make("h2", {}, button.dataset.name), plot, scale, close);
  large.showModal();
}
for (const button of all("button.spectrogram")) button.addEventListener("click", () => enlarge(button));

// Dialogs, theme, ids.
const help = one("#help");
for (const dialog of [help, large]) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
one("[data-close]").addEventListener("click", () => help.close());
one("#keys").addEventListener("click", () => help.showModal());
const themes = ["auto", "light", "dark"], theme = one("#theme");
function turn() {
  const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length];
  root.dataset.theme = next;
  theme.textContent = next[0].toUpperCase() + next.slice(1);
  theme.setAttribute("aria-label", `Theme: ${next}`);
}
theme.addEventListener("click", turn);
for (const button of all("[data-copy]")) {
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(one("code", button.parentElement));
      button.textContent = "selected";
    }
  });
}

// A link to ids opens the list that holds them.
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") {
    for (let around = target; around; around = around.parentElement.closest("details")) around.open = true;
    one("summary", target).focus({preventScroll: true});
    target.scrollIntoView({block: "center"});
  }
}
addEventListener("hashchange", reveal);
reveal();

// The section that is read is marked in the contents.
const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, {rootMargin: "-20% 0px -70% 0px"});
for (const section of all("main > section")) watcher.observe(section);

// Keys.
const typing = (target) => target.matches("input:not([type=range]), textarea, select");
const keys = {
  j: () => step(1),
  k: () => step(-1),
  s: () => { const button = current && one("button.spectrogram", current); if (button) enlarge(button); },
  t: turn,
  "/": () => { if (box) { box.focus(); box.select(); } },
  "?": () => help.showModal(),
  " ": () => { const audio = current && one("audio", current); if (audio) toggle(audio); else if (!current) step(1); },
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && event.target === box) {
    box.value = "";
    filter();
    box.blur();
    return;
  }
  if (typing(event.target) || one("dialog[open]")) return;
  if (event.key === " " && event.target.matches("button, summary, a, input")) return;
  const act = keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
