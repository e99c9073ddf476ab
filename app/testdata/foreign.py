"""A web application in another language, for TestForeignMonolith: it answers in the ways
that proxies get wrong. It prints its port and serves until it is killed."""
import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 64
released = threading.Event()


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        """Reads a body of either framing and gives its bytes."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def target(self):
        return self.raw_requestline.split(b" ")[1]

    def handle_any(self):
        data = self.body()
        path = self.path.split("?")[0]
        if path == "/cookies":
            self.answer(200, self.headers.get("Cookie", "").encode(), [("Set-Cookie", "a=1; Path=/; HttpOnly"), ("Set-Cookie", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT")])
        elif path == "/redirect":
            self.answer(302, b"", [("Location", "../elsewhere?x=%2F#part")])
        elif path == "/upload":
            self.answer(201, f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode())
        elif path == "/range" and "Range" in self.headers:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            part = BODY[int(first):int(last) + 1]
            self.answer(206, part, [("Content-Range", f"bytes {first}-{last}/{len(BODY)}")])
        elif path == "/gzip":
            self.answer(200, gzip.compress(BODY, mtime=0), [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")])
        elif path == "/etag" and self.headers.get("If-None-Match") == '"v1"':
            self.answer(304, b"", [("ETag", '"v1"')])
        elif path == "/chunked":
            self.chunks([b"one", b"two" * 1000, b"three"])
        elif path == "/sse":
            released.clear()
            self.chunks([b"data: 1\n\n", None, b"data: 2\n\n"], [("Content-Type", "text/event-stream")])
        elif path == "/release":
            released.set()
            self.answer(204)
        elif path == "/nothing":
            self.answer(204)
        elif path == "/close":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(BODY)
        elif path == "/socket":
            self.socket()
        elif path == "/error":
            self.answer(503, b"mine", [("Retry-After", "7"), ("X-Request-Id", "mine")])
        else:
            self.answer(200, self.command.encode() + b" " + self.target() + b" " + data)

    def chunks(self, parts, headers=()):
        """Sends each part at once; None waits for /release."""
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            if part is None:
                released.wait(30)
                continue
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def socket(self):
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "websocket")
        self.end_headers()
        while data := self.rfile.read1(65536):
            self.wfile.write(data)
        self.close_connection = True

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), App)
print(server.server_address[1], flush=True)
server.serve_forever()
