#!/usr/bin/env bash
# Software: QNetworkAccessManager of Qt 6.8.3, through PySide6_Essentials 6.8.3 (PyPI), on Python 3.10 or later and Linux.
# Contrast: Qt 6.9.3. Seen with 6.4.2 and 6.7.3 as with 6.8.3.
#
# What was run: a program posts a refresh on a connection that nothing was sent on before. The token service takes the
# POST, and then one of three things happens: it hangs up without a byte, in the middle of the answer's head, or in the
# middle of the answer's body. The service counts the POSTs.
#
# A good engineer would guess: a stack may repeat a request that met an old connection, which the server had closed
# before. This connection is new and has taken the whole request, and a POST is not idempotent: it is sent once, and
# the program gets an error.
#
# What happens: the program gets its error, but the POST was sent at least twice after no byte, and three or four times
# after half a head. Each time it is a new connection, with the same body. Only an answer whose head is whole is not asked
# for again. No setting of the request changes that: neither `Connection: close`, nor a body that is not to be buffered, nor
# pipelining switched off. From 6.9 on each is sent once.
#
# What follows: a server that rotates, and hangs up (a restart, a proxy), is asked again with the spent refresh token
# at once. It answers that with `invalid_grant`, or takes it for theft and ends the grant. The lost pair
# looks like a refused one, so the program forgets it. Desktop programs and plug-ins use this stack.
#
# How to avoid: Qt 6.9 or later. With an earlier one, send token requests with another HTTP stack. Take `invalid_grant`
# after a change of networks for a lost answer.
set -euo pipefail
dir=$(mktemp -d); service=; trap '[ -z "$service" ] || kill "$service" 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
for version in 6.8.3 6.9.3; do
  python3 -m venv "qt$version"
  "qt$version/bin/pip" install --quiet --disable-pip-version-check "PySide6_Essentials==$version" "shiboken6==$version"
done
cat > service.py <<'X'
import socket, threading
server = socket.create_server(("127.0.0.1", 0)); open("port", "w").write(str(server.getsockname()[1]))
def serve(connection):
    file = connection.makefile("rb")
    if not (line := file.readline()): return  # Qt 6.9 connects again, and sends nothing
    path = line.split()[1].decode(); length = 0
    while head := file.readline().strip():
        if head.lower().startswith(b"content-length:"): length = int(head.split(b":")[1])
    open("seen", "a").write(file.read(length).decode() + "\n")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n"
    connection.sendall({"/nothing": b"", "/head": head, "/body": head + b'\r\n{"access_token"'}[path])
    file.close(); connection.close()
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
X
cat > program.py <<'X'
from PySide6.QtCore import QByteArray, QCoreApplication, QEventLoop, QUrl, qVersion
from PySide6.QtNetwork import QNetworkAccessManager, QNetworkRequest
application = QCoreApplication([]); port = open("port").read(); counts = []
for path in ["/nothing", "/head", "/body"]:
    open("seen", "w").close()
    request = QNetworkRequest(QUrl(f"http://127.0.0.1:{port}{path}"))
    request.setHeader(QNetworkRequest.ContentTypeHeader, "application/x-www-form-urlencoded")
    manager = QNetworkAccessManager()  # with connections of its own
    reply = manager.post(request, QByteArray(b"grant_type=refresh_token&refresh_token=R1"))
    loop = QEventLoop(); reply.finished.connect(loop.quit); loop.exec()
    counts.append(open("seen").read().count("refresh_token=R1"))
    print(f"  Qt {qVersion()} hung up in {path[1:]:8} {reply.error().name}, POSTs: {counts[-1]}")
open("counts", "w").write(" ".join(map(str, counts)) + "\n")
X
python3 service.py & service=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
timeout 60 qt6.8.3/bin/python program.py; read -r nothing head body < counts
timeout 60 qt6.9.3/bin/python program.py; new=$(cat counts)
echo "expected: 1 everywhere"
if [ "$nothing" -ge 2 ] && [ "$head" -ge 3 ] && [ "$body" = 1 ] && [ "$new" = "1 1 1" ]; then
  echo "SEEN: Qt before 6.9 sends a POST again on its own when the server hangs up"
else
  echo "NO LONGER SEEN"; exit 1
fi
