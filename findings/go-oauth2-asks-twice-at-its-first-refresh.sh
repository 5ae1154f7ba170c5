#!/usr/bin/env bash
# Software: golang.org/x/oauth2 0.3.0 (Debian 12, with Go 1.19.8) and Linux. Seen with 0.37.0 as well.
#
# What was run: a program sets up a client with a token endpoint and no `AuthStyle`, which is the default, and refreshes.
# The token service rotates: it spends R1, and its first answer is lost on the way. It hangs up, or the answer is cut in the
# middle, or it takes longer than the HTTP client waits. The service writes down each POST. The same again in a process
# that has refreshed before, and with an `AuthStyle`.
#
# A good engineer would guess: nobody knows whether the server acted, so the error is returned. At most, an answer of the
# server that refuses the way in which the client showed its secret is a reason to show it in the other way.
#
# What happens: every failure counts as such a refusal, that of the network too. The library sends the same refresh token
# again at once, with the secret in the body. The program sees the answer to that: `invalid_grant`, and nothing of what
# came before. Once a call has worked, the way is remembered and a lost answer is returned as an error, but only by this process.
# (0.37.0 remembers it in the `Config`: a program that makes one for each user asks twice for each user.)
#
# What follows: the first refresh after a start of the process is the dangerous one, which is when many tokens are
# refreshed, often because a network or a server was away. A server that detects reuse ends the grant. The log shows a dead
# grant, not a lost answer. Nothing of it shows in a test against a server that answers.
#
# How to avoid: set `Endpoint.AuthStyle`. Take the first `invalid_grant` of a process for a lost answer.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
apt-get download -qq golang-1.19-go golang-1.19-src golang-golang-x-oauth2-dev=0.3.0-1 golang-golang-x-net-dev >/dev/null 2>&1 \
  || { echo "the Debian 12 packages cannot be fetched (apt-get update first)"; exit 1; }
for package in ./*.deb; do dpkg -x "$package" root; done
cat > program.go <<'X'
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

var posts []string

func service(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form := string(body)
	way := "body"
	if _, _, basic := r.BasicAuth(); basic {
		way = "header"
	}
	posts = append(posts, way)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !strings.Contains(form, "refresh_token=R1"):
		io.WriteString(w, `{"access_token":"A","token_type":"bearer","expires_in":3600,"refresh_token":"R0"}`)
	case len(posts) > 1: // R1 is spent
		w.WriteHeader(400)
		io.WriteString(w, `{"error":"invalid_grant"}`)
	case r.URL.Path == "/hung-up":
		connection, _, _ := w.(http.Hijacker).Hijack()
		connection.Close()
	case r.URL.Path == "/cut":
		w.Header().Set("Content-Length", "82")
		io.WriteString(w, `{"access_token":"A2","token_type":"bearer","refresh_t`)
	case r.URL.Path == "/late":
		time.Sleep(1500 * time.Millisecond)
	}
}

func refresh(url string, style oauth2.AuthStyle, token string) error {
	client := oauth2.Config{ClientID: "id", ClientSecret: "secret", Endpoint: oauth2.Endpoint{TokenURL: url, AuthStyle: style}}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Timeout: time.Second})
	old := &oauth2.Token{AccessToken: "A1", RefreshToken: token, Expiry: time.Now().Add(-time.Hour)}
	_, err := client.TokenSource(ctx, old).Token()
	return err
}

func main() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go http.Serve(listener, http.HandlerFunc(service))
	base := "http://" + listener.Addr().String()
	run := func(name, path string, style oauth2.AuthStyle) {
		posts = nil
		err := refresh(base+path, style, "R1")
		told := "another error"
		if strings.Contains(err.Error(), "invalid_grant") {
			told = "invalid_grant"
		}
		fmt.Printf("%-22s %-8s POSTs of R1: %d (%s), the program is told: %s\n", name, path[1:], len(posts), strings.Join(posts, ", "), told)
	}
	for _, path := range []string{"/hung-up", "/cut", "/late"} {
		run("first refresh", path, oauth2.AuthStyleAutoDetect)
		run("with an AuthStyle", path, oauth2.AuthStyleInHeader)
		if err := refresh(base+path, oauth2.AuthStyleAutoDetect, "R-other"); err != nil {
			panic(err)
		}
		run("after another refresh", path, oauth2.AuthStyleAutoDetect)
	}
}
X
export GOROOT="$dir/root/usr/lib/go-1.19" GOPATH="$dir/root/usr/share/gocode" GOCACHE="$dir/cache" GO111MODULE=off CGO_ENABLED=0
"$GOROOT/bin/go" run program.go | tee seen
for path in hung-up cut late; do
  grep -qx "first refresh  *$path  *POSTs of R1: 2 (header, body), the program is told: invalid_grant" seen
  grep -qx "with an AuthStyle  *$path  *POSTs of R1: 1 (header), the program is told: another error" seen
  grep -qx "after another refresh  *$path  *POSTs of R1: 1 (header), the program is told: another error" seen
done
