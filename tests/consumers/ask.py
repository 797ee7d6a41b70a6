"""The OpenAI SDK, with a key function that asks the helper at every request: ask.py BASE_URL HELPER TIMES"""

import subprocess
import sys

from openai import OpenAI

base_url, helper, times = sys.argv[1:]


def token():
    command = [helper, "get", "--format", "token"]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return answer.stdout.decode().strip()


client = OpenAI(api_key=token, base_url=base_url, max_retries=0)
for _ in range(int(times)):
    print(client.responses.create(model="gpt-5", input="Return OK.").output_text)
