"""Reads requests, one JSON object a line, and says of each which library accepts it."""

import base64
import json
import sys

import standardwebhooks
import stripe


def standard(case, body):
    secret = case["secret"]
    key = secret if secret.startswith("whsec_") else secret.encode()
    standardwebhooks.Webhook(key).verify(body, case["headers"], json_parse=False)


def older(case, body):
    signature = case["headers"]["x-webhook-signature"]
    stripe.WebhookSignature.verify_header(body.decode(), signature, case["secret"], 300)


LIBRARIES = {
    "standardwebhooks (Python)": (standard, standardwebhooks.WebhookVerificationError),
    "stripe (Python)": (older, stripe.SignatureVerificationError),
}

for line in sys.stdin:
    case = json.loads(line)
    body = base64.b64decode(case["body"])
    said = {}
    for name, (check, refusal) in LIBRARIES.items():
        # Anything but a refusal is a fault of this program, and ends it.
        try:
            check(case, body)
            said[name] = None
        except refusal as why:
            said[name] = str(why)
    print(json.dumps(said), flush=True)
