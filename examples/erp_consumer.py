"""An ERP in a few lines: reads what customers change on portico.billing, and takes it over or refuses it."""

import json
import os

from confluent_kafka import Consumer, Producer

KAFKA = {"bootstrap.servers": os.environ["PORTICO_KAFKA_SERVERS"]}
PREFIX = os.environ.get("PORTICO_TOPIC_PREFIX", "portico")
HIGHEST_CENTS = int(os.environ.get("HIGHEST_CENTS", "15000"))

consumer = Consumer(KAFKA | {"group.id": "erp", "auto.offset.reset": "earliest", "enable.auto.commit": False})
producer = Producer(KAFKA | {"enable.idempotence": True, "partitioner": "murmur2_random"})
consumer.subscribe([f"{PREFIX}.billing"])
while True:
    record = consumer.poll(1.0)
    if record is None or record.error() or dict(record.headers())["ce_type"] != b"portico.billing.InstalmentChanged.v1":
        continue
    change = json.loads(record.value())
    print(f"{change['contract_number']}: {change['from_cents']} -> {change['amount_cents']} cents", flush=True)
    data = {"contract": change["contract_number"], "change_id": change["change_id"], "decision": "confirmed"}
    if change["amount_cents"] > HIGHEST_CENTS:
        data |= {"decision": "refused", "reason": f"More than {HIGHEST_CENTS / 100:.2f} {change['currency']}"}
    event = {"specversion": "1.0", "type": "portico.erp.InstalmentDecision.v1", "source": "/example-erp"}
    answer = event | {"id": f"decision-{change['change_id']}", "data": data}
    headers = {"content-type": "application/cloudevents+json"}
    producer.produce(f"{PREFIX}.erp.in", json.dumps(answer), key=change["contract_number"], headers=headers)
    producer.flush()
    consumer.commit(record, asynchronous=False)
