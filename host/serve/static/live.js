// The live feed. Records are handed on in small batches, so that a burst costs one change of the page.

const BATCH_MS = 200;
const RETRY_MS = 4000;
const KINDS = ["reading", "status", "event", "label", "forgotten"];

export class Live {
  #source = null;
  #batch = [];
  #timer = null;

  /**
   * onBatch gets [kind, values] pairs, onState "live" or "offline".
   * onMissed is called where all has to be read anew.
   */
  constructor({ onBatch, onState, onMissed }) {
    Object.assign(this, { onBatch, onState, onMissed });
  }

  start() {
    const source = new EventSource("/api/feed");
    let fresh = true; // a connection without Last-Event-ID knows nothing of what came before it
    this.#source = source;
    source.addEventListener("open", () => {
      this.onState("live");
      if (fresh) this.onMissed();
      fresh = false;
    });
    source.addEventListener("reset", () => this.onMissed());
    source.addEventListener("error", () => {
      this.onState("offline");
      // A connection that ends is renewed by the browser, an answer with an error is not.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.start(), RETRY_MS);
    });
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.#take(kind, JSON.parse(event.data)));
  }

  #take(kind, values) {
    this.#batch.push([kind, values]);
    this.#timer ??= setTimeout(() => {
      const batch = this.#batch;
      this.#batch = [];
      this.#timer = null;
      this.onBatch(batch);
    }, BATCH_MS);
  }
}
