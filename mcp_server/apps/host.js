// The host's side of an MCP App: JSON-RPC 2.0 over postMessage, MCP Apps of 2026-01-26.
"use strict";

const host = (() => {
  const frame = window.parent;
  const waiting = new Map();
  const on = {}; // handlers of the host's notifications, by method
  let number = 0;
  let size = "";

  const post = (message) => frame.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const notify = (method, params = {}) => post({ method, params });

  function request(method, params) {
    number += 1;
    const id = number;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      post({ id, method, params });
    });
  }

  function receive(message) {
    if (message.method === undefined) {
      const { resolve, reject } = waiting.get(message.id) || {};
      waiting.delete(message.id);
      if (message.error) reject?.(new Error(message.error.message));
      else resolve?.(message.result);
    } else if (message.id === undefined) {
      on[message.method]?.(message.params || {});
    } else if (message.method === "ping" || message.method === "ui/resource-teardown") {
      post({ id: message.id, result: {} });
    } else {
      post({ id: message.id, error: { code: -32601, message: "Method not found" } });
    }
  }

  function tellSize() {
    const { width, height } = document.documentElement.getBoundingClientRect();
    const now = { width: Math.ceil(width), height: Math.ceil(height) };
    if (size !== JSON.stringify(now)) {
      size = JSON.stringify(now);
      notify("ui/notifications/size-changed", now);
    }
  }

  window.addEventListener("message", (event) => {
    if (event.source === frame && event.data?.jsonrpc === "2.0") receive(event.data);
  });

  async function connect() {
    const answer = await request("ui/initialize", {
      protocolVersion: "2026-01-26",
      appInfo: { name: "orchestrator-patch-set", version: "1" },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
    });
    notify("ui/notifications/initialized");
    new ResizeObserver(tellSize).observe(document.documentElement);
    return answer;
  }

  return { connect, request, on };
})();
