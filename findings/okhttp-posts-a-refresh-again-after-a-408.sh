#!/usr/bin/env bash
# Software: OkHttp 3.13.1 (Debian 12, libokhttp-java 3.13.1-3) with Okio 1.16.0, on OpenJDK 17. At first nothing is set but a short timeout.
#
# What was run: a program posts a refresh. The token service takes it, spends the token, and then one thing goes wrong: it
# answers 408, as frameworks do when a handler was too slow; it answers 503, with `Retry-After: 0` and without; it hangs up
# without a byte, on a new connection and on one that was used before; or it says nothing. A second POST gets `invalid_grant`.
#
# A good engineer would guess: OkHttp repeats what cannot have been acted upon: a connection that was refused, at most a GET. A
# POST with a body is sent once, and the program decides.
#
# What happens: after the 408, after the 503 with `Retry-After: 0` and after the hang-up on a used connection it posts
# the same body again, by itself. The program sees `invalid_grant` as the answer of its one call; of the first
# answer there is only `priorResponse()`, and of the hang-up nothing. After the plain 503, the new connection and the
# silence it does not.
#
# What follows: a token service behind a slow handler or a proxy that closes idle connections ends logins of the
# programs on this stack, and the log of the client shows one request. The server's log shows two with the same token within milliseconds,
# which looks like theft.
#
# How to avoid: `retryOnConnectionFailure(false)` for the client that asks the token endpoint: it covers the 408 too. The
# 503 is posted again all the same (the second half of the output); look for `priorResponse()`, and take `invalid_grant` with one for a lost answer.
set -euo pipefail
dir=$(mktemp -d); service=; trap '[ -z "$service" ] || kill "$service" 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
apt-get download -qq libokhttp-java=3.13.1-3 libokio-java=1.16.0-2 >/dev/null 2>&1 \
  || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for package in ./*.deb; do dpkg -x "$package" root; done
cat > service.py <<'X'
import collections, socket, threading, time
server = socket.create_server(("127.0.0.1", 0)); open("port", "w").write(str(server.getsockname()[1]))
posts = collections.Counter()
def serve(connection):
    file = connection.makefile("rb")
    def answer(status, fields="", body=b""):
        connection.sendall(f"HTTP/1.1 {status} -\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    while line := file.readline():
        path = line.split()[1].decode()[1:]; length = 0
        while head := file.readline().strip():
            if head.lower().startswith(b"content-length:"): length = int(head.split(b":")[1])
        file.read(length)
        if path.startswith("count/"): answer(200, body=str(posts[path[6:]]).encode()); continue
        posts[path] += 1
        if path == "before": answer(200)
        elif posts[path] > 1: answer(400, body=b"invalid_grant")
        elif path.startswith("hang-up"): break
        elif path == "silence": time.sleep(3)
        else: answer(path[:3], "Retry-After: 0\r\n" if path.endswith("now") else "")
    file.close(); connection.close()
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
X
cat > Program.java <<'X'
import java.util.concurrent.TimeUnit;
import okhttp3.*;
public class Program {
  static String port;
  static Request post(String path) {
    RequestBody body = RequestBody.create(MediaType.parse("application/x-www-form-urlencoded"), "grant_type=refresh_token&refresh_token=R1");
    return new Request.Builder().url("http://127.0.0.1:" + port + "/" + path).post(body).build();
  }
  static String call(OkHttpClient client, Request request) {
    try (Response response = client.newCall(request).execute()) {
      return (response.code() + " " + response.body().string()).trim();
    } catch (java.io.IOException error) {
      return "an exception";
    }
  }
  public static void main(String[] arguments) {
    port = arguments[0];
    boolean retries = arguments[1].equals("default");
    for (String path : new String[] {"408", "503", "503-now", "hang-up", "hang-up-used", "silence"}) {
      OkHttpClient client = new OkHttpClient.Builder().connectionPool(new ConnectionPool())
          .retryOnConnectionFailure(retries).readTimeout(1, TimeUnit.SECONDS).build();
      if (path.endsWith("used")) call(client, post("before"));
      String seen = call(client, post(path));
      System.out.println(path + ": the program sees " + seen + ", POSTs: " + call(new OkHttpClient(), post("count/" + path)).substring(4));
    }
    System.exit(0);
  }
}
X
classes=root/usr/share/java/okhttp.jar:root/usr/share/java/okio.jar
javac -cp "$classes" Program.java
for retries in default off; do
  rm -f port; python3 service.py & service=$!
  for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
  echo "retryOnConnectionFailure: $retries"; java -cp "$classes:." Program "$(cat port)" $retries
  kill "$service"; service=
done | tee output
diff output - <<'X'
retryOnConnectionFailure: default
408: the program sees 400 invalid_grant, POSTs: 2
503: the program sees 503, POSTs: 1
503-now: the program sees 400 invalid_grant, POSTs: 2
hang-up: the program sees an exception, POSTs: 1
hang-up-used: the program sees 400 invalid_grant, POSTs: 2
silence: the program sees an exception, POSTs: 1
retryOnConnectionFailure: off
408: the program sees 408, POSTs: 1
503: the program sees 503, POSTs: 1
503-now: the program sees 400 invalid_grant, POSTs: 2
hang-up: the program sees an exception, POSTs: 1
hang-up-used: the program sees an exception, POSTs: 1
silence: the program sees an exception, POSTs: 1
X
