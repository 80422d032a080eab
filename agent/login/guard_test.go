package login_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"authbridge/agent/contract"
)

// rewrites changes what the service answers at some path.
type rewrites struct {
	http.RoundTripper
	path   string
	change func(header http.Header, body map[string]any)
}

func (c rewrites) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.RoundTripper.RoundTrip(r)
	if err != nil || !strings.Contains(r.URL.Path, c.path) {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if json.Unmarshal(body, &fields) != nil {
		fields = nil
	}
	c.change(response.Header, fields)
	if fields != nil {
		if body, err = json.Marshal(fields); err != nil {
			return nil, err
		}
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Del("Content-Length")
	return response, nil
}

// TestAHostileServiceGetsNothing holds that a sign-in service cannot have the
// card sign something else, send the run elsewhere, or give it another's code.
func TestAHostileServiceGetsNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, path string
		change     func(http.Header, map[string]any)
		step, code string
	}{
		{"something else to sign", "/proof/", func(_ http.Header, b map[string]any) {
			b["data"] = base64.StdEncoding.EncodeToString([]byte("a contract"))
		}, "ceremony", "LOGIN_ANSWER"},
		{"a challenge for another client", "/proof/", func(_ http.Header, b map[string]any) {
			data, _ := base64.StdEncoding.DecodeString(b["data"].(string))
			b["data"] = base64.StdEncoding.EncodeToString(bytes.Replace(data, []byte(clientID), []byte("someone"), 1))
		}, "ceremony", "LOGIN_ANSWER"},
		{"a challenge with more behind", "/proof/", func(_ http.Header, b map[string]any) {
			data, _ := base64.StdEncoding.DecodeString(b["data"].(string))
			b["data"] = base64.StdEncoding.EncodeToString(append(data, "\x00more"...))
		}, "ceremony", "LOGIN_ANSWER"},
		{"a form of another server", "/authorize", func(_ http.Header, b map[string]any) { b["action"] = "https://elsewhere.example/signin" }, "choose", "LOGIN_ANSWER"},
		{"a form of another port", "/authorize", func(_ http.Header, b map[string]any) { b["action"] = "//localhost:1/signin" }, "choose", "LOGIN_ANSWER"},
		{"another's state", "/continue", func(h http.Header, _ map[string]any) {
			h.Set("Location", strings.Replace(h.Get("Location"), "state=", "state=x", 1))
		}, "token", "LOGIN_STATE"},
		{"another issuer's answer", "/continue", func(h http.Header, _ map[string]any) {
			h.Set("Location", h.Get("Location")+"&iss=https://elsewhere.example")
		}, "token", "LOGIN_STATE"},
		{"no code", "/continue", func(h http.Header, _ map[string]any) {
			h.Set("Location", strings.Replace(h.Get("Location"), "code=", "cod=", 1))
		}, "token", "LOGIN_ANSWER"},
		{"back to elsewhere", "/continue", func(h http.Header, _ map[string]any) {
			h.Set("Location", strings.Replace(h.Get("Location"), "127.0.0.1:1", "elsewhere.example", 1))
		}, "back", "LOGIN_STATE"},
		{"endpoints without TLS", "/openid-configuration", func(_ http.Header, b map[string]any) { b["token_endpoint"] = "http://elsewhere.example/token" }, "discovery", "LOGIN_ANSWER"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) { w.config.Transport = rewrites{w.config.Transport, row.path, row.change} })
			l := w.fails(contract.LoginRequest{Kind: contract.Smartcard}, row.step, row.code)
			if row.step == "ceremony" && len(w.use.Ceremonies()) != 0 {
				t.Error("the card was asked")
			}
			if strings.Contains(story(l), "elsewhere.example") {
				t.Errorf("%s", story(l))
			}
		})
	}
}
