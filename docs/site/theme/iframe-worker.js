// A browser starts no worker for a page from the disk. There the search runs in a hidden frame, as if it were one, with
// messages copied and later, as a worker's are. The file's name keeps the plugin `offline` from loading its own from the
// network.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.terminate = () => frame.remove();
      this.inside = frame.contentWindow;
      this.inside.postMessage = (message) => {
        const data = structuredClone(message);
        setTimeout(() => this.onmessage?.(new MessageEvent("message", { data })));
      };
      const script = this.inside.document.createElement("script");
      script.src = url;
      this.loaded = new Promise((resolve) => script.addEventListener("load", resolve));
      this.inside.document.body.append(script);
    }
    postMessage(message) {
      const data = structuredClone(message);
      const deliver = () => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data }));
      this.loaded.then(() => setTimeout(deliver));
    }
  };
}
