//go:build linux && cgo

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"authbridge/agent/contract"
)

const askingPage = "http://localhost:3000"

// The ceremonies, as the rest of a body.
const (
	creating = `,"type":"create","origin":"http://localhost:3000","options":{"rp":{"id":"localhost","name":"Mock"},
		"user":{"id":"dXNlcg","name":"ann","displayName":"Ann"},"challenge":"AAECAwQFBgcICQoLDA0ODw",
		"pubKeyCredParams":[{"type":"public-key","alg":-7}],"authenticatorSelection":{"userVerification":"required"}}`
	signing = `,"type":"sign","data":"aGFsbG8="`
)

func (h *hunt) with(l lent, what, more string) string {
	if !strings.Contains(more, `"wait"`) {
		more += `,"wait":true`
	}
	return `{"lease":"` + l.ID + `"` + what + more + `}`
}

func (h *hunt) pin(value string) string { return `,"pin":{"value":` + quoted(value) + `}` }

func (h *hunt) secret(name, value string) string {
	return `,"pin":{"value":` + quoted(value) + `,"secret":"` + name + `"}`
}

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// started begins a ceremony without waiting for it.
func (h *hunt) started(as who, by door, body string) (c contract.Ceremony) {
	h.t.Helper()
	h.want(h.post(as, by, "/v1/ceremonies", body), http.StatusAccepted, &c)
	return c
}

// says expects an exit code.
func (h *hunt) says(want, got int) {
	h.t.Helper()
	if got != want {
		h.t.Errorf("exit code %d instead of %d: %s", got, want, h.places[len(h.places)-1].data)
	}
}

// last is the newest canary.
func (h *hunt) last() *canary { return h.newest }

// drain takes all that a command says.
func (h *hunt) drain(name string, out io.Reader) {
	text, _ := io.ReadAll(out)
	h.add(place{name: "what " + name + " said", data: text})
}

// touch plugs the key in again, so that it is touched at once or never.
func (h *hunt) touch(ci who, how string) {
	h.t.Helper()
	h.do(h.t.Context(), call{as: ci, by: byTCP, method: http.MethodDelete, path: "/v1/virtual/keys/virtual-key-1", kind: "application/json"})
	h.want(h.post(ci, byTCP, "/v1/virtual/keys", `{"name":"virtual-key-1","touch":"`+how+`"}`), http.StatusCreated, nil)
	h.until("card and key are ready", h.ready)
}

// person has PINs entered over the socket, as a person would, the right one last:
// then the tries are all there again, and no source is blocked. A card keeps two of
// its three tries, which a person may spend who says so.
func (h *hunt) person(id string, wrong ...string) {
	h.t.Helper()
	user := who{name: "its user"}
	l := h.lease(user, bySocket, id)
	begin := func() string {
		what := creating
		if id == h.cardID {
			what = signing + `,"override":true`
		}
		return h.started(user, bySocket, h.with(l, what, `,"pin":{"ask":true},"wait":false`)).ID
	}
	c, right := begin(), h.key.value
	if id == h.cardID {
		right = h.card.value
	}
	for _, pin := range append(wrong, right) {
		h.reaches(c, contract.CeremonyPIN, contract.CeremonyFailed)
		if a := h.post(user, bySocket, "/v1/ceremonies/"+c+"/pin", `{"pin":`+quoted(pin)+`}`); a.status != http.StatusNoContent {
			c = begin() // the card asks once
			h.reaches(c, contract.CeremonyPIN)
			h.want(h.post(user, bySocket, "/v1/ceremonies/"+c+"/pin", `{"pin":`+quoted(pin)+`}`), http.StatusNoContent, nil)
		}
		if pin == right {
			h.reaches(c, contract.CeremonyDone)
		} else {
			h.asksAgain(c)
		}
	}
	h.do(h.t.Context(), call{as: user, by: bySocket, method: http.MethodGet, path: "/v1/ceremonies/" + c})
	h.release(user, bySocket, l)
}

// asksAgain waits until a person is asked another time, or it has failed.
func (h *hunt) asksAgain(id string) {
	h.t.Helper()
	h.sees(id, "asks again", func(c contract.Ceremony) bool {
		return c.State == contract.CeremonyFailed || c.Prompt != nil && c.Prompt.Again
	})
}

func (h *hunt) clear() {
	h.person(h.keyID)
	h.person(h.cardID)
}

// everyWay has PINs come every way there is, right ones and wrong ones.
func (h *hunt) everyWay(kind contract.Kind, ci, other, reader, user who) {
	what, id, right, file := creating, h.keyID, h.key.value, "key.pin"
	if kind == contract.Smartcard {
		what, id, right, file = signing, h.cardID, h.card.value, "card.pin"
	}
	wrong := func(way string) string { return h.wrong(kind, way) }
	begin := func(l lent, as who, more string) answer {
		return h.post(as, byTCP, "/v1/ceremonies", h.with(l, what, more))
	}
	l := h.lease(ci, byTCP, id)
	done := func(a answer) {
		h.t.Helper()
		var c contract.Ceremony
		if h.want(a, http.StatusOK, &c); c.State != contract.CeremonyDone {
			h.t.Errorf("it is %s: %s", c.State, a.body)
		}
	}
	again := func() { // a card is opened once a lease
		h.release(ci, byTCP, l)
		h.person(id)
		l = h.lease(ci, byTCP, id)
	}
	done(begin(l, ci, h.pin(right)))
	again()
	done(begin(l, ci, h.secret("blue", right)))
	again()
	done(begin(l, ci, "")) // from the file
	again()
	done(begin(l, l.own, h.pin(right)))
	again()

	h.refused(begin(l, ci, h.pin(wrong("wrong in a body"))), "PIN_REFUSED")
	h.refused(begin(l, ci, h.pin(wrong("in a body of a source that is blocked"))), "PIN_SOURCE_BLOCKED")
	h.refused(begin(l, l.own, h.pin(wrong("in a body of a lease's token that is blocked"))), "PIN_SOURCE_BLOCKED")
	again()
	h.refused(begin(l, ci, h.secret("blue", wrong("wrong from a secret"))), "PIN_REFUSED")
	h.refused(begin(l, ci, h.secret("blue", wrong("from a secret that is blocked"))), "PIN_SOURCE_BLOCKED")
	again()
	h.writePIN(file, wrong("wrong in a file"))
	h.refused(begin(l, ci, ""), "PIN_REFUSED")
	h.writePIN(file, wrong("in a file that is blocked"))
	h.refused(begin(l, ci, ""), "PIN_SOURCE_BLOCKED")
	h.writePIN(file, strings.Repeat(wrong("too long in a file"), 20))
	h.refused(begin(l, ci, ""), "PIN_FILE")
	h.writePIN(file, wrong("in a file that others may read"))
	must(h.t, os.Chmod(h.file(file), 0o644))
	h.refused(begin(l, ci, ""), "PIN_FILE")
	must(h.t, os.Chmod(h.file(file), 0o600))
	h.writePIN(file, right)
	again()
	twice := wrong("refused before")
	h.refused(begin(l, ci, h.pin(twice)), "PIN_REFUSED")
	begin(l, ci, h.secret("green", twice))
	h.refused(begin(l, ci, h.pin(strings.Repeat(wrong("too long in a body"), 20))), "BAD_REQUEST")
	h.refused(begin(l, ci, h.pin(strings.Repeat(wrong("a little too long in a body"), 9)[:66])), "PIN_FORMAT")
	again()

	// Answers to the prompt, from everybody.
	asked := h.started(ci, byTCP, h.with(l, what, `,"pin":{"ask":true},"wait":false`))
	h.reaches(asked.ID, contract.CeremonyPIN)
	path := "/v1/ceremonies/" + asked.ID + "/pin"
	reply := func(as who, by door, pin string) answer { return h.post(as, by, path, `{"pin":`+quoted(pin)+`}`) }
	h.refused(reply(other, byTCP, wrong("the answer of another")), "LEASE_NOT_YOURS")
	h.refused(reply(user, bySocket, wrong("the answer of the user to a token's prompt")), "LEASE_NOT_YOURS")
	h.refused(reply(reader, byTCP, wrong("the answer of who may read only")), "FORBIDDEN")
	h.refused(reply(who{"nobody", h.canary("a bearer that is none", "authbridge_"+wrong("bearer"))}, byTCP, wrong("the answer of nobody")), "UNAUTHORIZED")
	h.refused(reply(ci, byTCP, strings.Repeat(wrong("too long an answer"), 6)), "PIN_FORMAT")
	h.refused(begin(l, ci, h.pin(wrong("beside another ceremony"))), "CEREMONY_BUSY")
	h.want(reply(ci, byTCP, wrong("a wrong answer")), http.StatusNoContent, nil)
	h.reaches(asked.ID, contract.CeremonyFailed)
	h.refused(reply(ci, byTCP, wrong("an answer too late")), "CEREMONY_OVER")
	again()
	h.want(h.post(l.own, byTCP, "/v1/ceremonies", h.with(l, what, `,"pin":{"ask":true},"wait":false`)), http.StatusAccepted, &asked)
	h.reaches(asked.ID, contract.CeremonyPIN)
	path = "/v1/ceremonies/" + asked.ID + "/pin"
	h.want(reply(l.own, byTCP, right), http.StatusNoContent, nil)
	h.reaches(asked.ID, contract.CeremonyDone)
	h.get(ci, "/v1/ceremonies/"+asked.ID)
	h.get(other, "/v1/ceremonies/"+asked.ID)
	h.release(ci, byTCP, l)
	h.refused(begin(l, ci, h.pin(wrong("under a lease that is over"))), "LEASE_OVER")
	h.refused(begin(l, other, h.pin(wrong("under the lease of another"))), "LEASE_NOT_YOURS")

	// A person, who may try again while tries are left.
	h.person(id, wrong("a person's"))
}

// wrongPlaces has PINs stand where none belongs.
func (h *hunt) wrongPlaces(ci, other, reader, user who) {
	l := h.lease(ci, byTCP, h.keyID)
	m := h.lease(user, bySocket, h.cardID)
	head := func(l lent, what string) string { return `{"lease":"` + l.ID + `"` + what }
	bodies := func(l lent, what string) []string {
		head := head(l, what)
		return []string{
			head + `,"pin":"@"}`, head + `,"pin":["@"]}`, head + `,"pin":{"value":["@"]}}`, head + `,"pin":{"value":{"x":"@"}}}`, head + `,"pin":{"@":1}}`,
			head + `,"pin":{"secret":"<@>"}}`, head + `,"pin":{"pin":"@"}}`, head + `,"pin":{"value":"@","value":"@"}}`, head + `,"pin":{"value":"@"},"pin":{"value":"@"}}`,
			head + `,"pin":{"value":"@"},"surprise":1}`, head + `,"pin":{"value":"@","surprise":"@"}}`, head + `,"pin":{"value":"@"}`, head + `,"pin":{"value":"@`, head + `,"pin":{"value":"@\x"}}`,
			head + `,"pin":{"value":"@"}} @`, head + `,"value":"@"}`, head + `,"@":"x"}`, head + `,"fence":"@"}`, head + `,"slot":"@"}`, head + `,"hash":"@"}`, head + `,"data":"@!"}`,
			head + `,"digest":"@!"}`, head + `,"timeout":"@"}`, head + `,"wait":"@"}`, head + `,"override":"@"}`, head + `,"account":["@"]}`, head + `,"top_origin":"@"}`, head + `,"origin":"@"}`,
			head + `,"options":"@"}`, head + `,"options":{"challenge":"@"}}`, head + `,"options":{"rp":"@"}}`, head + `,"options":{"rp":{"id":"@"}}}`, head + `,"options":{"rpId":"@","challenge":"@"}}`,
			head + `,"options":{"pin":"@"}}`, head + `,"type":"@"}`, `{"lease":"@","type":"get","pin":{"value":"@"}}`, `{"lease":"` + l.ID + `0","type":"get","pin":{"value":"@"}}`,
			`{"lease":"` + l.ID + `","fence":1000,"type":"sign","pin":{"value":"@"}}`, `["@"]`, `"@"`, `@`, `pin=@`, head + `,"pin":{"value":"@","ask":true}}`,
		}
	}
	numbers := func(l lent, what string) []string {
		head := head(l, what)
		return []string{
			head + `,"pin":@}`, head + `,"pin":{"value":@}}`, head + `,"fence":@@@}`, head + `,"options":@}`, head + `,"options":{"timeout":@@@@}}`, head + `,"options":{"challenge":@}}`,
			head + `,"options":{"pubKeyCredParams":[{"alg":@@@@}]}}`, head + `,"options":{"rp":{"id":"localhost","name":@}}}`, `@`,
			head + `,"options":{"rpId":"@","challenge":"AAECAwQFBgcICQoLDA0ODw"}}`,
			head + `,"options":{"rp":{"id":"@","name":"Mock"},"user":{"id":"dXNlcg","name":"ann","displayName":"Ann"},"challenge":"AAECAwQFBgcICQoLDA0ODw","pubKeyCredParams":[{"type":"public-key","alg":-7}]}}`,
		}
	}
	n := 0
	each := func(by door, as []who, l lent, what string) {
		for _, texts := range []struct {
			kind contract.Kind
			all  []string
		}{{contract.SecurityKey, bodies(l, what)}, {contract.Smartcard, numbers(l, what)}} {
			for _, text := range texts.all {
				if strings.Contains(what, "sign") && (strings.Contains(text, "options") || strings.Contains(text, "origin")) {
					continue // a signature has none, and does not mind
				}
				if strings.Contains(what, "get") && strings.Contains(text, `"user":`) {
					continue // it is in order, beside what is not
				}
				for _, as := range as {
					n++
					way := fmt.Sprintf("%s as %s over %s", text, as.name, by)
					body := strings.ReplaceAll(text, "@", h.wrong(texts.kind, way))
					if a := h.post(as, by, "/v1/ceremonies", body); a.status < 400 {
						h.t.Errorf("%s: %d %s", way, a.status, a.body)
					}
				}
			}
		}
	}
	each(byTCP, []who{ci, other, reader}, l, `,"type":"create","origin":"http://localhost:3000"`)
	each(byTCP, []who{l.own}, l, `,"type":"get","origin":"http://localhost:3000"`)
	each(bySocket, []who{user}, m, `,"type":"sign"`)

	asked := h.started(ci, byTCP, h.with(l, creating, `,"pin":{"ask":true},"wait":false`))
	h.reaches(asked.ID, contract.CeremonyPIN)
	answers := "/v1/ceremonies/" + asked.ID + "/pin"
	for _, c := range []struct{ path, body string }{
		{answers, `{"pin":["@"]}`},
		{answers, `{"pin":{"value":"@"}}`},
		{answers, `{"value":"@"}`},
		{answers, `{"pin":"@","surprise":"@"}`},
		{answers, `{"PIN":"@","pin":"@"}`},
		{answers, `@`},
		{answers, `{"pin":"@@@@@@@@@@"}`},
		{"/v1/ceremonies/ceremony-0000000000000000/pin", `{"pin":"@"}`},
		{"/v1/leases", `{"aal":3,"target":"mock","pin":"@"}`},
		{"/v1/leases", `{"aal":"@","target":"@"}`},
		{"/v1/leases", `{"aal":3,"target":"mock","purpose":"<@>"}`},
		{"/v1/leases", `{"aal":3,"target":"mock","ttl":"@"}`},
		{"/v1/leases", `{"authenticator":"@","target":"mock"}`},
		{"/v1/leases", `{"aal":3,"target":"mock","user":"@"}`},
		{"/v1/tokens", `{"name":"<@>","rights":["@"],"pin":"@"}`},
		{"/v1/virtual/keys", `{"name":"<@>"}`},
		{"/v1/virtual/keys", `{"pin":"@"}`},
		{"/v1/virtual/cards", `{"user":"@","pin":"@"}`},
		{"/v1/authenticators/" + h.keyID + "/read", `{"pin":"@"}`},
		{"/v1/nowhere", `{"pin":"@"}`},
	} {
		for _, as := range []who{ci, {"own", h.own}, {name: "its user"}} {
			by := byTCP
			if as.token == nil {
				by = bySocket
			}
			body := strings.ReplaceAll(c.body, "@", h.wrong(contract.SecurityKey, c.body+" to "+c.path+" as "+as.name))
			if a := h.post(as, by, c.path, body); a.status < 400 {
				h.t.Errorf("%s to %s: %d %s", c.body, c.path, a.status, a.body)
			}
		}
	}
	for _, as := range []who{ci, {"the lease", l.own.token}} {
		for _, by := range []door{byTCP, bySocket} {
			for _, c := range []call{
				{method: http.MethodPost, kind: "text/plain", body: "@"},
				{method: http.MethodPost, kind: "application/x-www-form-urlencoded", body: "pin=@"},
				{method: http.MethodPost, body: `{"pin":"@"}`},
				{method: http.MethodPut, kind: "application/json", body: `{"pin":"@"}`},
				{method: http.MethodGet, kind: "application/json", body: `{"pin":"@"}`},
				{method: "BREW", kind: "application/json", body: `{"pin":"@"}`},
				{method: http.MethodPost, kind: "application/json", body: `{"pin":"@"}`, header: "Origin", value: "https://evil.example"},
				{method: http.MethodPost, kind: "application/json", body: `{"pin":"@"}`, header: "Host", value: "evil.example"},
				{method: http.MethodPost, kind: "application/json", body: strings.Repeat(`{"pin":"@"}`, 1) + strings.Repeat(" ", 300<<10)},
				{method: http.MethodPost, kind: "application/json; charset=@", body: `{"pin":"@"}`},
				{method: http.MethodPost, kind: "application/json", body: `{"pin":"@"}`, header: "X-Pin", value: "@"},
			} {
				pin := h.wrong(contract.SecurityKey, c.method+" "+c.kind+" "+c.header)
				c.as, c.by, c.path = as, by, answers
				for _, part := range []*string{&c.kind, &c.body, &c.value} {
					*part = strings.ReplaceAll(*part, "@", pin)
				}
				if c.header == "X-Pin" {
					c.path = "/v1/ceremonies/ceremony-0000000000000000/pin"
				}
				if a := h.do(h.t.Context(), c); a.status < 400 && len(c.body) < 256<<10 {
					h.t.Errorf("%s %s: %d %s", c.method, c.kind, a.status, a.body)
				}
			}
		}
	}
	h.release(ci, byTCP, l)
	h.release(user, bySocket, m)
}
