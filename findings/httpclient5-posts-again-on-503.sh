#!/usr/bin/env bash
# Apache HttpClient 5 posts again on 503 and 429, although it will not repeat a POST whose connection broke.
#
# Software: Apache HttpClient 5.2.1 and HttpCore 5.2.1 (Debian 12: libhttpclient5-java 5.2.1-1, libhttpcore5-java
#   5.2.1-1), on Java 17. Contrast: HttpClient 4.5.14 (libhttpclient-java 4.5.14-1).
# What is run: HttpClients.createDefault() posts a refresh to a service that has spent the token and then
#   answers 503, 429, 502 or nothing at all.
# What a good engineer would guess: a POST is not idempotent, so the default policy leaves it alone. The class's
#   own check does say so for broken connections, and version 4 never repeats anything on a status by default.
# What happens: version 5 asks "is the method idempotent?" only when the connection broke. On a status of 503 or
#   429 it posts once more, with the body, without a word; after Retry-After if there is one, else after 1 s.
#   The caller's thread sleeps that long inside execute(), and no timeout of the request bounds the sleep unless
#   a response timeout is set: then a longer Retry-After means no second POST at all.
# What follows: a gateway that answers 503 after the service did the work makes this client spend the refresh
#   token twice, and the caller gets the second answer (invalid_grant). An upgrade from 4 to 5 brings this in.
# How to avoid it: HttpClientBuilder.disableAutomaticRetries() on the client that posts to a token endpoint.
set -euo pipefail
T=$(mktemp -d); chmod 755 "$T"; PID=; trap '[ -z "$PID" ] || kill "$PID" 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"; mkdir debs root
for p in libhttpclient5-java=5.2.1-1 libhttpcore5-java=5.2.1-1 libhttpclient-java=4.5.14-1 libhttpcore-java=4.4.16-1 \
  libcommons-logging-java=1.2-3 libcommons-codec-java=1.15-1 libslf4j-java=1.7.32-1; do
  (cd debs && apt-get download -q "$p" >/dev/null 2>&1) || { echo "cannot get the Debian package $p (try apt-get update)"; exit 2; }
done
for d in debs/*.deb; do dpkg -x "$d" root; done
J=root/usr/share/java; CP=$J/httpclient5.jar:$J/httpcore5.jar:$J/httpcore5-h2.jar:$J/httpclient.jar:$J/httpcore.jar:$J/commons-logging.jar:$J/commons-codec.jar:$J/slf4j-api.jar:$J/slf4j-nop.jar
cat > service.py <<'X'
# /503, /429 and /502 answer so once the token is spent; a second POST of a spent token is told invalid_grant.
import socket, threading, time
server = socket.create_server(("127.0.0.1", 0)); open("port", "w").write(str(server.getsockname()[1])); spent = set()
def serve(c):
    f = c.makefile("rb")
    while line := f.readline():
        path = line.split()[1].decode(); length = 0
        while (head := f.readline().strip()):
            if head.lower().startswith(b"content-length:"): length = int(head.split(b":")[1])
        body = f.read(length)
        open("seen", "a").write(f"{path} {body.decode()}\n"); open("times", "a").write(f"{time.monotonic()}\n")
        if path.startswith("/lost"): break
        first = path not in spent; spent.add(path); status = path.strip("/").split("-")[0] if first else "400"
        text = "" if first else '{"error":"invalid_grant"}'; extra = f"Retry-After: {path.split('-')[1]}\r\n" if first and "-" in path else ""
        c.sendall(f"HTTP/1.1 {status} X\r\n{extra}Content-Length: {len(text)}\r\n\r\n{text}".encode())
    f.close(); c.close()
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
X
cat > Five.java <<'X'
import org.apache.hc.client5.http.classic.methods.HttpPost; import org.apache.hc.client5.http.config.RequestConfig;
import org.apache.hc.client5.http.impl.classic.*; import org.apache.hc.core5.http.ContentType; import org.apache.hc.core5.http.io.entity.*;
import org.apache.hc.core5.util.Timeout;
public class Five { public static void main(String[] a) throws Exception {
    HttpClientBuilder b = HttpClients.custom();
    if (a[0].equals("limit")) b.setDefaultRequestConfig(RequestConfig.custom().setResponseTimeout(Timeout.ofSeconds(2)).build());
    if (a[0].equals("off")) b.disableAutomaticRetries();
    HttpPost p = new HttpPost(a[1]); p.setEntity(new StringEntity("refresh_token=R1", ContentType.APPLICATION_FORM_URLENCODED));
        try (CloseableHttpClient c = b.build()) {
        String s = c.execute(p, r -> r.getCode() + " " + EntityUtils.toString(r.getEntity())); System.out.print(s);
    } catch (java.io.IOException e) { System.out.print(e.getClass().getSimpleName()); }
    System.out.println();
} }
X
cat > Four.java <<'X'
import org.apache.http.client.methods.*; import org.apache.http.entity.*; import org.apache.http.impl.client.*; import org.apache.http.util.EntityUtils;
public class Four { public static void main(String[] a) throws Exception {
    HttpPost p = new HttpPost(a[1]); p.setEntity(new StringEntity("refresh_token=R1", ContentType.APPLICATION_FORM_URLENCODED));
        try (CloseableHttpClient c = HttpClients.createDefault(); CloseableHttpResponse r = c.execute(p)) {
        System.out.println(r.getStatusLine().getStatusCode() + " " + EntityUtils.toString(r.getEntity())); }
} }
X
javac -cp "$CP" -d . Five.java Four.java
python3 service.py & PID=$!; for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done; U=http://127.0.0.1:$(cat port)
echo "guess: each POST reaches the service once, and the caller is shown the service's first answer"
echo "versions: HttpClient 5.2.1 and 4.5.14, $(java -version 2>&1 | head -1)"
bad=0; n=0
row() { # expected answer, expected POSTs, class, mode, path, least seconds between the POSTs
  local got gap; rm -f seen times; n=$((n+1)); got=$(timeout 30 java -cp ".:$CP" "$3" "$4" "$U$5#$n" 2>/dev/null || true)
  gap=$(awk 'NR==1{a=$1} END{printf "%d", $1-a+0.1}' times)
  echo "  $3 ($4) $5: ${got% }; POSTs at the service: $(wc -l < seen), seconds from the first to the last: $gap"
  [[ "$got" == $1 ]] && [ "$(wc -l < seen)" = "$2" ] && [ "$(sort -u seen | wc -l)" = 1 ] && [ "$gap" -ge "${6:-0}" ] || { echo "    expected by this script: $1, $2"; bad=1; }
}
row '400 {"error":"invalid_grant"}' 2 Five default /503 1
row '400 {"error":"invalid_grant"}' 2 Five default /429 1
row '400 {"error":"invalid_grant"}' 2 Five default /503-6 6
row '503*' 1 Five limit /503-7
row '502*' 1 Five default /502
row 'NoHttpResponseException' 1 Five default /lost
row '503*' 1 Five off /503-8
row '503*' 1 Four default /503-9
[ $bad = 0 ] || { echo "CHANGED: the behaviour is no longer seen"; exit 1; }
echo "SEEN: HttpClient 5.2.1 posts a spent refresh token again on 503 and 429; 4.5.14 does not"
