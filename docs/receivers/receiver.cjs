// Prints each event of the shop once: `WEBHOOK_SECRET=whsec_… PORT=9000 node receiver.cjs`, with `standardwebhooks` from npm.
const { createServer } = require("node:http");
const { Webhook } = require("standardwebhooks");

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const had = new Set(); // yours remembers in its database what it had

createServer(async (request, response) => {
  try {
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += part;
    const { type, data } = webhook.verify(body, request.headers);
    if (!had.has(request.headers["webhook-id"])) console.log(type, data.id, data.seq);
    had.add(request.headers["webhook-id"]);
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(401).end();
  }
}).listen(process.env.PORT, "127.0.0.1");
