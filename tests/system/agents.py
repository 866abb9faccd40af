"""What the tests of the running agent share: its configuration and a receiver of what it tells."""
from harness import Case, Receiver

CONFIG = """
scanners:
  files: [{{paths: [{tree}], every: {every}, jitter: 0s}}]
trust: {{system: false}}
alerts: {{renotify: 24h}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
"""
WEBHOOK = """  webhooks: [{{name: ops, format: {format}, url: "http://127.0.0.1:{port}/hook"}}]
"""


def value(metrics, name):
    for line in metrics.splitlines():
        if line.startswith(name):
            return float(line.rsplit(" ", 1)[1])
    return None


class AgentCase(Case):
    def run_agent(self, every="1h", receiver=None, form="slack"):
        config = CONFIG.format(tree=self.tree, every=every)
        if receiver:
            config += WEBHOOK.format(format=form, port=receiver.port)
        agent = self.agent(config)
        self.ready(agent)
        return agent

    def receiver(self, *script):
        receiver = Receiver(script)
        self.addCleanup(receiver.close)
        return receiver
