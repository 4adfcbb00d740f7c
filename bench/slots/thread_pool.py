"""The plain script: five threads, each submits a job, asks every 5 s how it is, and downloads."""

import csv
import os
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

URL, KEY = os.environ["SLOTS_URL"], os.environ["SLOTS_KEY"]
POLL_SECONDS = 5
HEADERS = {"authorization": f"Bearer {KEY}", "x-api-version": "2025-11-01"}


def job(urls: list[str]) -> int:
    with httpx.Client(base_url=URL, headers=HEADERS, timeout=60) as client:
        body = {"professional_network_profile_urls": urls}
        accepted = client.post("/batch/person/identify", json=body).raise_for_status().json()
        while True:
            time.sleep(POLL_SECONDS)  # what the contestant does
            status = client.get(f"/batch/{accepted['batch_id']}").raise_for_status().json()
            if status["status"] == "completed":
                return len(httpx.get(status["download_url"]).raise_for_status().content)


with open(os.environ["SLOTS_UPSTREAM"]) as file:  # noqa: PTH123 - as anybody would write it
    people = [row["profile_url"] for row in csv.DictReader(file)]
with ThreadPoolExecutor(5) as pool:
    print(sum(pool.map(job, (people[start : start + 300] for start in range(0, len(people), 300)))))
