// Sends each of the six calls once with Segment's official client: node send.mjs HOST WRITE_KEY MARK
// Prints the messages it sent, a JSON line each. Any error ends it with status 1.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey, mark] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, maxRetries: 2, httpRequestTimeout: 30000 });
const messages = [];
const sent = (error, context) => {
  if (error) {
    console.error(error);
    process.exit(1);
  }
  messages.push(JSON.stringify(context.event));
};
analytics.on("error", (error) => {
  console.error(error);
  process.exit(1);
});

const userId = `user-${mark}`;
analytics.identify({ userId, traits: { email: "jane@example.com", plan: "pro", größe: 1.5 } }, sent);
analytics.track({ userId, event: "Order Completed", properties: { total: 9.5, items: [{ sku: "a" }], note: "Café 😀" } }, sent);
analytics.page({ userId, name: "Home", category: "Docs", properties: { path: "/" } }, sent);
analytics.screen({ anonymousId: `anon-${mark}`, name: "Start", properties: { variant: "b" } }, sent);
analytics.group({ userId, groupId: `group-${mark}`, traits: { name: "Initech", employees: 329 } }, sent);
analytics.alias({ userId, previousId: `anon-${mark}` }, sent);
await analytics.closeAndFlush();
console.log(messages.join("\n"));
