// What a page gains with JavaScript: times that stay current, parts that are loaded again, the theme,
// keys, and a question before an action.

/** @param {number} seconds */
function duration(seconds) {
  for (const [length, name] of /** @type {const} */ ([[86400, 'd'], [3600, 'h'], [60, 'min']])) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${name}`;
  }
  return `${Math.floor(seconds)} s`;
}

function showTimes() {
  for (const time of document.querySelectorAll('time')) {
    const at = Date.parse(time.dateTime);
    const seconds = (Date.now() - at) / 1000;
    if (!Number.isFinite(at) || Math.abs(seconds) > 30 * 86400) continue;
    const text = seconds < -1 ? `in ${duration(-seconds)}` : seconds < 1 ? 'now' : `${duration(seconds)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(() => { if (!document.hidden) showTimes(); }, 1000);

/**
 * `<ec-live id data-every>`: takes its content from the same page again, every so many seconds, while
 * it can be seen. Not while something in it is selected or has the focus.
 */
class Live extends HTMLElement {
  connectedCallback() {
    const every = Number(this.dataset.every ?? 5) * 1000;
    this.timer = setInterval(() => this.refresh(), every);
    this.shown = () => { if (!document.hidden) this.refresh(); };
    document.addEventListener('visibilitychange', this.shown);
  }
  disconnectedCallback() {
    clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.shown);
  }
  isInUse() {
    const active = document.activeElement;
    const selection = getSelection();
    return (active !== document.body && this.contains(active)) ||
      (selection && !selection.isCollapsed && this.contains(selection.anchorNode));
  }
  async refresh() {
    if (document.hidden || this.busy || this.isInUse()) return;
    this.busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html', 'eventcore-part': this.id } });
      if (answer.redirected) { location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const fresh = page.getElementById(this.id);
      if (fresh && !this.isInUse()) this.replaceChildren(...fresh.childNodes);
    } catch {
      // The console is away. The next turn tries again.
    } finally {
      this.busy = false;
    }
  }
}
customElements.define('ec-live', Live);

// On a narrow screen the pages are in a row that scrolls.
document.querySelector('.side [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });

/** @returns {string} what the server read when it made the page */
const theme = () => document.documentElement.dataset.theme ?? 'system';

/**
 * `<ec-theme>`: a button that goes from the system's theme to light and dark. The theme is in a cookie,
 * so that the server makes the page with it.
 */
class Theme extends HTMLElement {
  connectedCallback() {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'plain';
    const show = () => {
      button.textContent = { system: '◐', light: '☀', dark: '☾' }[theme()] ?? '◐';
      button.title = `Theme: ${theme()}`;
      button.setAttribute('aria-label', `Theme: ${theme()}`);
    };
    button.addEventListener('click', () => {
      const next = { system: 'light', light: 'dark', dark: 'system' }[theme()] ?? 'system';
      document.cookie = `eventcore_theme=${next}; path=/; max-age=31536000; samesite=strict`;
      if (next === 'system') delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = next;
      show();
    });
    show();
    this.replaceChildren(button);
  }
}
customElements.define('ec-theme', Theme);

document.addEventListener('keydown', (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, textarea, select')) return;
  const field = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!(field instanceof HTMLElement)) return;
  event.preventDefault();
  if (field instanceof HTMLInputElement) field.focus();
  else field.click();
});

document.addEventListener('submit', (event) => {
  const button = /** @type {SubmitEvent} */ (event).submitter;
  const question = button?.dataset.question;
  if (question && !confirm(question)) event.preventDefault();
});
