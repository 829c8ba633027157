// Reads requests, one JSON object a line, and says of each which library accepts it.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// The libraries lie in the folder that is given, not beside this file.
const require = createRequire(pathToFileURL(`${process.argv[2]}/`));
const { Webhook, WebhookVerificationError } = require("standardwebhooks");
const Stripe = require("stripe");
const stripe = new (Stripe.default ?? Stripe)("no key: nothing is asked");

function standard({ secret, headers }, body) {
  const format = secret.startsWith("whsec_") ? {} : { format: "raw" };
  new Webhook(secret, format).verify(body.toString(), headers, { jsonParse: false });
}

function older({ secret, headers }, body) {
  stripe.webhooks.signature.verifyHeader(body, headers["x-webhook-signature"], secret, 300);
}

const libraries = {
  "standardwebhooks (JavaScript)": [standard, (why) => why instanceof WebhookVerificationError],
  "stripe (JavaScript)": [older, (why) => why.type === "StripeSignatureVerificationError"],
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const body = Buffer.from(request.body, "base64");
  const said = {};
  for (const [name, [check, isRefusal]] of Object.entries(libraries)) {
    try {
      check(request, body);
      said[name] = null;
    } catch (why) {
      // Anything but a refusal is a fault of this program, and ends it.
      if (!isRefusal(why)) throw why;
      said[name] = String(why.message).split("\n")[0];
    }
  }
  console.log(JSON.stringify(said));
}
