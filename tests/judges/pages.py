"""Opens pages in Chromium, on a phone by day and on a desk by night: pages.py AXE BASE PATH...

AXE is the script of axe-core, which finds what keeps people out of a page.

Prints a JSON object a page and place: what a person would see of it, and every fault that the browser reported.
Speaks the DevTools protocol, https://chromedevtools.github.io/devtools-protocol/
"""

import json
import subprocess
import sys
import tempfile
import time

import websocket

# Pixels across and down, and the colours that the reader prefers.
PLACES = {"phone": (360, 740, "light"), "desk": (1440, 900, "dark")}
# Seconds that a page may take until it is still.
PATIENCE = 40

SEEN = """
(() => {
  const root = document.documentElement;
  const sticksOut = (element) => element.getBoundingClientRect().right > root.clientWidth;
  const numbers = [...document.querySelectorAll("[data-swarms], .torrents tbody [data-key]")];
  // Notes tell of times; and how much of a medium a browser asks for is its own affair.
  const show = (display) =>
    document.querySelectorAll(".note, [data-label='By web seed']").forEach((one) => (one.style.display = display));
  show("none");
  const said = numbers.filter((element) => element.checkVisibility()).map((element) => element.innerText);
  show("");
  return {
    title: document.title,
    heading: document.querySelector("h1")?.innerText,
    numbers: said,
    too_wide: [...document.querySelectorAll("body *")]
      .filter((element) => root.scrollWidth > root.clientWidth && sticksOut(element))
      .map((element) => element.outerHTML.slice(0, 120)),
  };
})()
"""
BARRIERS = """
axe.run().then((found) => found.violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => node.target).join(" | ")}`))
"""
# An episode's page shows its numbers when they have come; the page of all swarms asks again after half a minute.
STILL = """
[...document.querySelectorAll("[data-swarms]")].every((element) => !element.hidden)
  && document.querySelector("[data-health=verifying]") === null
"""

# A click on the last chapter brings the player there, and marks the chapter.
CLICK = """
(() => {
  const last = [...document.querySelectorAll(".chapters a")].at(-1);
  last?.click();
  return last !== undefined;
})()
"""
STEERED = """
(() => {
  const player = document.querySelector(".player");
  const current = document.querySelector(".chapters [aria-current]");
  return current && player.currentTime >= current.dataset.start && !player.seeking
    ? `plays ${current.innerText.split(/\\s+/).join(" ")}` : null;
})()
"""


class Browser:
    """One Chromium and one page in it."""

    def __init__(self, profile):
        flags = [
            "--headless=new",
            "--no-sandbox",  # It refuses to run as root with it.
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        self.process = subprocess.Popen(["chromium", *flags], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for line in self.process.stderr:
            if line.startswith("DevTools listening on "):
                address = line.removeprefix("DevTools listening on ").strip()
                break
        else:
            raise SystemExit("Chromium did not start")
        self.socket = websocket.create_connection(address, timeout=PATIENCE)
        self.asked = 0
        self.events = []
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)

    def ask(self, method, **params):
        """Sends a command and returns its result; events that come meanwhile are kept."""
        self.asked += 1
        message = {"id": self.asked, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.asked:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"{expression[:100]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, what, happened):
        """Waits until `happened()`, which asks the browser and so takes in its events."""
        end = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > end:
                raise SystemExit(f"not within {PATIENCE} s: {what}")
            time.sleep(0.02)

    def open(self, url, width, height, colours):
        scheme = {"name": "prefers-color-scheme", "value": colours}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.events.clear()
        loader = self.ask("Page.navigate", url=url).get("loaderId")

        def idle():
            self.evaluate("0")
            names = [
                event["params"]["name"]
                for event in self.events
                if event["method"] == "Page.lifecycleEvent" and event["params"]["loaderId"] == loader
            ]
            return "networkIdle" in names

        self.until(f"{url} is loaded", idle)
        self.until(f"{url} shows its numbers", lambda: self.evaluate(STILL))
        seen = {**self.reported(url), **self.evaluate(SEEN)}
        self.evaluate(axe)
        seen["barriers"] = self.evaluate(BARRIERS)
        if self.evaluate(CLICK):
            self.until(f"{url} plays a chapter", lambda: self.evaluate(STEERED))
            seen["steered"] = self.evaluate(STEERED)
        return seen

    def reported(self, url):
        """The status of the page, and what went wrong with anything that it loads."""
        status, faults = None, []
        urls = {}
        for event in self.events:
            params = event["params"]
            match event["method"]:
                case "Network.requestWillBeSent":
                    urls[params["requestId"]] = params["request"]["url"]
                case "Network.responseReceived":
                    response = params["response"]
                    if response["url"] == url and params["type"] == "Document":
                        status = response["status"]
                    elif response["status"] >= 400:
                        faults.append(f"{response['status']}: {response['url']}")
                # A player that has enough of a file drops the rest.
                case "Network.loadingFailed" if not params.get("canceled"):
                    faults.append(f"{params['errorText']}: {urls.get(params['requestId'])}")
                case "Runtime.exceptionThrown":
                    faults.append(json.dumps(params["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                    faults.append(json.dumps(params["args"]))
                case "Log.entryAdded":
                    entry = params["entry"]
                    # The page itself: its status is told above.
                    if entry["level"] in ("error", "warning") and entry.get("url") != url:
                        faults.append(f"{entry['text']}: {entry.get('url')}")
        return {"status": status, "faults": faults}

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


with open(sys.argv[1], encoding="utf-8") as script:
    axe = script.read() + ";0"
base, paths = sys.argv[2], sys.argv[3:]
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    browser = Browser(profile)
    try:
        for path in paths:
            for name, place in PLACES.items():
                print(json.dumps({"path": path, "place": name, **browser.open(base + path, *place)}))
    finally:
        browser.close()
