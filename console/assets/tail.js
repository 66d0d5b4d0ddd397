// The live tail: rows that come, a pause that goes on collecting, and a stream that is closed while
// nobody sees it.

/** How many rows are kept. */
const MOST = 500;

/** How long to wait before a stream is opened again that the server has refused, in milliseconds. */
const PAUSE = 2000;

/**
 * `<ec-tail data-source data-after>`: around the table of the page. Every message has the position up to
 * which the browser has seen everything, so opening the stream again neither misses nor repeats a row.
 */
class Tail extends HTMLElement {
  connectedCallback() {
    this.place = this.dataset.after ?? '';
    /** Rows that came during a pause, the newest first. @type {string[]} */
    this.waiting = [];
    this.waitingCount = 0;
    this.isPaused = false;
    this.state = 'connecting';
    this.sampled = '';
    this.body = this.querySelector('tbody');
    this.makeControls();
    this.changed = () => (document.hidden ? this.close() : this.open());
    document.addEventListener('visibilitychange', this.changed);
    this.changed();
  }

  disconnectedCallback() {
    document.removeEventListener('visibilitychange', this.changed);
    this.close();
  }

  makeControls() {
    const line = this.querySelector('.live');
    this.status = document.createElement('span');
    this.button = document.createElement('button');
    this.button.type = 'button';
    this.button.dataset.key = 'p';
    this.button.addEventListener('click', () => this.toggle());
    line.replaceChildren(this.button, this.status);
    this.show();
  }

  open() {
    if (this.source) return;
    clearTimeout(this.timer);
    const url = new URL(this.dataset.source, location.href);
    if (this.place) url.searchParams.set('after', this.place);
    this.source = new EventSource(url);
    this.source.addEventListener('open', () => this.become('live'));
    this.source.addEventListener('begin', (message) => { this.place = message.lastEventId; });
    this.source.addEventListener('rows', (message) => this.take(message));
    this.source.addEventListener('problem', (message) => this.become(JSON.parse(message.data).problem));
    this.source.addEventListener('error', () => {
      const isGivenUp = this.source?.readyState === EventSource.CLOSED;
      this.become('connecting');
      // A browser tries again by itself, unless the console has answered with an error.
      if (isGivenUp) {
        this.close();
        this.timer = setTimeout(this.changed, PAUSE);
      }
    });
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = undefined;
  }

  become(state) {
    this.state = state;
    this.show();
  }

  take(message) {
    const { rows, count, skipped } = JSON.parse(message.data);
    this.place = message.lastEventId;
    this.sampled = skipped > 0 && count > 0 ? `, 1 of ${Math.round((count + skipped) / count)} shown` : '';
    this.state = 'live';
    if (this.isPaused) {
      this.waiting.unshift(rows);
      this.waitingCount += count;
      // Each message has at most 200 rows, and at least one of these.
      this.waiting.length = Math.min(this.waiting.length, MOST);
    } else {
      this.add(rows);
    }
    this.show();
  }

  add(rows) {
    const made = document.createElement('template');
    made.innerHTML = rows;
    for (const row of made.content.children) row.classList.add('new');
    this.body.prepend(made.content);
    while (this.body.childElementCount > MOST) this.body.lastElementChild.remove();
  }

  toggle() {
    this.isPaused = !this.isPaused;
    if (!this.isPaused) {
      for (const rows of this.waiting.reverse()) this.add(rows);
      this.waiting = [];
      this.waitingCount = 0;
    }
    this.show();
  }

  show() {
    this.button.textContent = this.isPaused ? 'Go on' : 'Pause';
    const waiting = this.isPaused ? `paused, ${this.waitingCount} new` : this.state;
    this.status.textContent = `${waiting}${this.sampled}`;
    this.toggleAttribute('data-live', this.state === 'live');
  }
}
customElements.define('ec-tail', Tail);
