// Says a message to POST /agent/chat as useChat does, and writes what the client made of the answer: its chunks, and the message.
// node read.mjs BASE_URL REQUEST_BODY
import { DefaultChatTransport, readUIMessageStream } from "ai";

const [base, body] = process.argv.slice(2);

const transport = new DefaultChatTransport({
  api: `${base}/api/v1/agent/chat`,
  headers: { Accept: "text/event-stream" },
  prepareSendMessagesRequest: () => ({ body: JSON.parse(body) }),
});

const chunks = [];
const errors = [];
const sent = await transport.sendMessages({
  trigger: "submit-message",
  chatId: "test",
  messages: [{ id: "1", role: "user", parts: [{ type: "text", text: JSON.parse(body).message }] }],
});
const counted = sent.pipeThrough(
  new TransformStream({
    transform(chunk, controller) {
      chunks.push(chunk);
      controller.enqueue(chunk);
    },
  }),
);
let message = null;
for await (const state of readUIMessageStream({ stream: counted, onError: (error) => errors.push(String(error)) })) {
  message = state;
}
process.stdout.write(JSON.stringify({ chunks, errors, message }));
