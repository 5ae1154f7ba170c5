// golang.org/x/oauth2: a Config and its client, as the package's example shows. The Endpoint has its two URLs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

type report struct {
	AccessToken  string  `json:"access_token"`
	RefreshToken string  `json:"refresh_token"`
	Error        *string `json:"error"`
	Kind         *string `json:"kind"`
	Reach        *string `json:"reach"`
}

func main() {
	base, scenario := os.Getenv("BASE_URL"), os.Args[1]
	seconds, _ := strconv.Atoi(os.Getenv("EXPIRES_IN"))
	config := oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		RedirectURL:  os.Getenv("REDIRECT_URI"),
		Endpoint:     oauth2.Endpoint{AuthURL: base + "/login", TokenURL: base + "/oauth/token"},
	}
	source := config.TokenSource(context.Background(), &oauth2.Token{
		AccessToken:  os.Getenv("ACCESS_TOKEN"),
		RefreshToken: os.Getenv("REFRESH_TOKEN"),
		TokenType:    "Bearer",
		Expiry:       time.Now().Add(time.Duration(seconds) * time.Second),
	})
	client := oauth2.NewClient(context.Background(), source)

	var line report
	var lock sync.Mutex
	call := func() {
		response, err := client.Get(base + "/v2/user/profile")
		if err == nil {
			response.Body.Close()
			return
		}
		lock.Lock()
		defer lock.Unlock()
		line.failed(err)
	}
	if scenario == "parallel" {
		var group sync.WaitGroup
		for range [5]int{} {
			group.Add(1)
			go func() { defer group.Done(); call() }()
		}
		group.Wait()
	} else {
		call()
		if scenario == "rotate" || scenario == "omitted" || scenario == "unavailable" {
			time.Sleep(2 * time.Second)
			call()
		}
	}
	// The source refreshes once more if the token is old.
	if scenario != "lost" && scenario != "nested" {
		if token, err := source.Token(); err == nil {
			line.AccessToken, line.RefreshToken = token.AccessToken, token.RefreshToken
		}
	}
	json.NewEncoder(os.Stdout).Encode(line)
}

// The library of this version has no member for the error code.
func (line *report) failed(err error) {
	kind := fmt.Sprintf("%T", err)
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		kind = fmt.Sprintf("%T", refused)
		var body struct{ Error struct{ Name string } }
		if json.Unmarshal(refused.Body, &body) == nil && body.Error.Name == "invalid_grant" {
			reach := "err.Body"
			line.Reach = &reach
		}
	}
	line.Kind = &kind
}
