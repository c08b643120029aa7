// Segment's official client for Node, as people use it: node client.mjs PORT KEY EVENTS SECONDS
// Sends so many track calls, spread over the seconds, waits until the client has done what it can, and prints what it
// sent as JSON.
import { setTimeout as pause } from "node:timers/promises";
import { Analytics } from "@segment/analytics-node";

const [port, writeKey, events, seconds] = process.argv.slice(2);
const analytics = new Analytics({ host: `http://127.0.0.1:${port}`, writeKey, flushAt: 20 });
const errors = [];
analytics.on("error", (error) => errors.push(String(error.reason ?? error)));
const ids = [];
for (let number = 0; number < Number(events); number += 1) {
  const messageId = `client-node-${port}-${number}`;
  ids.push(messageId);
  analytics.track({ userId: `user-${number}`, event: "Order Completed", properties: { total: number }, messageId });
  await pause((1000 * Number(seconds)) / Number(events));
}
await analytics.closeAndFlush();
console.log(JSON.stringify({ ids, errors }));
