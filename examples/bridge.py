#!/usr/bin/env python3
"""A program beside a Pinhole node: a small robot that drives and is driven.

    bridge.py [SOCKET]                  (default: /run/pinhole/control.sock)

It needs `socket` under [control] in node.toml, and nothing but Python's standard library. Viewers' messages are commands:

    lights on | lights off              switches every latching output
    look LEFT-OR-RIGHT                  turns the servo `pan`: "look left", "look right", "look ahead"
    status                              answers with what it knows

Whatever happens at the node's inputs it tells all viewers. docs/control.md describes the protocol.
"""

import json
import socket
import sys
import time

BEAT = 0.2  # s; who has a servo turn has to say something every half second


class Node:
    """The node at the other end of the socket: one JSON object a line, both ways."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.rest = b""
        self.state = {"outputs": [], "servos": [], "inputs": [], "camera": [], "privacy": False}

    def say(self, **message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def hear(self, patience):
        """The next message, or None after so many seconds without one."""
        end = time.monotonic() + patience
        while b"\n" not in self.rest:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return None
            if not data:
                raise EOFError("the node has ended")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def servo(self, name):
        return next((servo for servo in self.state["servos"] if servo["name"] == name), None)


def obey(node, message):
    """Does what a viewer asks for, and answers."""
    words = message["text"].lower().split()
    answer = {"to": message["client"]}
    pan = node.servo("pan")
    if words[:1] == ["lights"] and words[1:] in (["on"], ["off"]):
        lights = [output["name"] for output in node.state["outputs"] if output["kind"] == "latching"]
        for light in lights:
            node.say(type="set", output=light, on=words[1] == "on")
        node.say(type="message", text=f"{', '.join(lights) or 'nothing'}: {words[1]}", **answer)
    elif words[:1] == ["look"] and words[1:] in (["left"], ["right"], ["ahead"]) and pan:
        angle = {"left": pan["min"], "right": pan["max"], "ahead": pan["centre"]}[words[1]]
        node.say(type="move", servo="pan", to=angle)
        node.say(type="message", text=f"looking {words[1]}", **answer)
    elif words == ["status"]:
        on = [output["name"] for output in node.state["outputs"] if output["on"]]
        text = "private" if node.state["privacy"] else f"on: {', '.join(on) or 'nothing'}"
        node.say(type="message", text=text, **answer)
    else:
        node.say(type="message", text="I know: lights on, lights off, look left, look right, look ahead, status", **answer)


def happened(node, event):
    """Keeps the state up to date, and tells viewers of inputs."""
    lists = {"output": "outputs", "input": "inputs", "servo": "servos"}
    for part in node.state[lists[event["what"]]] if event["what"] in lists else []:
        if part["name"] == event["name"]:
            part.update((key, event[key]) for key in ("on", "position", "moving") if key in event)
    if event["what"] == "privacy":
        node.state["privacy"] = event["on"]
    if event["what"] == "input":
        node.say(type="message", text=f"{event['name']} is {'on' if event['on'] else 'off'}")


def main():
    node = Node(sys.argv[1] if len(sys.argv) > 1 else "/run/pinhole/control.sock")
    beat = time.monotonic() + BEAT
    while True:
        message = node.hear(max(0, beat - time.monotonic()))
        # By the clock, however much there is to hear.
        if time.monotonic() >= beat:
            beat = time.monotonic() + BEAT
            if any(servo["moving"] for servo in node.state["servos"]):
                node.say(type="beat")
        if message is None:
            continue
        print(json.dumps(message), flush=True)
        kind = message["type"]
        if kind == "state":
            node.state = message
        elif kind == "event":
            happened(node, message)
        elif kind == "message":
            obey(node, message)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except (OSError, EOFError) as error:
        sys.exit(f"bridge: {error}")
