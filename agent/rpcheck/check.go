package rpcheck

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// check is one of an application.
type check struct {
	*Checker
	web   *web
	party Party
	rows  []row
}

func (o *check) add(rows ...row) {
	for _, r := range rows {
		if r.At.IsZero() {
			r.At = o.now()
		}
		o.rows = append(o.rows, r)
	}
}

// run looks at everything, each for itself.
func (o *check) run(ctx context.Context) {
	o.registration()
	o.logout(ctx)
	for _, address := range o.hosts() {
		o.certificate(ctx, address)
	}
	o.redirects(ctx)
	o.jwks(ctx)
	o.usage()
	o.byHand()
}

// registration is what is wrong with it on paper.
func (o *check) registration() {
	r := row{Name: "registration", State: contract.Pass, Expected: "what CIS2 takes", Got: "as expected", Clause: "NHS: register to access an environment", Code: string(failure.RPRegistration)}
	var found []string
	for _, p := range o.party.Problems() {
		if p.Field != "redirects" {
			found = append(found, p.Field+": "+p.Text)
		}
	}
	if len(found) > 0 {
		r.State, r.Got, r.Remedy = contract.Fail, strings.Join(found, "; "), "Correct it in Connection Manager and in the configuration here."
	}
	o.add(r)
}

// hosts are an address of each server that CIS2 itself calls.
func (o *check) hosts() (all []string) {
	seen := map[string]bool{}
	for _, address := range []string{o.party.BackChannelLogout, o.keysAt()} {
		if u, err := url.Parse(address); err == nil && u.Host != "" && !seen[u.Scheme+u.Host] {
			seen[u.Scheme+u.Host] = true
			all = append(all, address)
		}
	}
	return all
}

func (o *check) keysAt() string {
	if o.party.Pattern != cis2.PrivateKeyJWT {
		return ""
	}
	return o.party.JWKSURI
}

// certificate looks at the server of an address.
func (o *check) certificate(ctx context.Context, address string) {
	const clause = "NHS: test your software"
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	subject := u.Scheme + "://" + u.Host
	if u.Scheme != "https" {
		r := unknown("tls-version", failure.RPCertificate, subject, "it is plain http, so there is none to look at", clause)
		if o.party.Environment == cis2.Mock {
			r.State, r.Expected, r.Got = contract.Pass, "TLS, or this machine at the mock", "http"
			r.Evidence = "good enough for the mock; CIS2 itself calls https under a public name alone"
		}
		o.add(r)
		return
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	began := o.now()
	h, problem := o.web.greet(ctx, u.Hostname(), port)
	if problem != "" {
		r := unknown("tls-version", failure.RPCertificate, subject, "", clause)
		r.State, r.Expected, r.Got = contract.Fail, "a TLS connection", problem
		r.Remedy = "Start the application, and look whether it answers with TLS at the registered address."
		o.add(r)
		return
	}
	rows := judgeHandshake(h, o.config.Roots, o.now())
	if o.party.Environment != cis2.Mock {
		rows = append(rows, publicRow(h))
	}
	took := ms(o.now().Sub(began))
	for i := range rows {
		rows[i].Subject, rows[i].At = subject, began
	}
	rows[0].TookMS = took
	o.add(rows...)
}

// publicRow is whether CIS2 can reach a server, as far as that shows from here.
func publicRow(h handshake) row {
	r := certificateRow("public-address", "an address of the internet", "NHS: test your software")
	r.Got = "as expected"
	if h.inside {
		r.State, r.Got = contract.Warn, "its name stands for a private address here"
		r.Remedy = "Look whether the name has a public address outside of this network, and lets CIS2 in."
	}
	return r
}

func (o *check) redirects(ctx context.Context) {
	form := row{Name: "redirect-form", State: contract.Pass, Expected: "what CIS2 takes", Got: "as expected", Clause: "NHS: register to access an environment; RFC 6749, 3.1.2", Code: string(failure.RPRedirect)}
	var found []string
	for _, p := range o.party.Problems() {
		if p.Field == "redirects" {
			found = append(found, p.Text)
		}
	}
	if len(found) > 0 {
		form.State, form.Got, form.Remedy = contract.Fail, strings.Join(found, "; "), "Register https addresses, without fragment and wildcard; http only for native applications on the loopback address."
	}
	o.add(form, exactness(o.party.Redirects))
	for _, address := range o.party.Redirects {
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" {
			o.add(unknown("redirect-reached", failure.RPRedirect, address, "it is no address of the web", form.Clause))
			continue
		}
		began := o.now()
		r := reachedRow(address, o.web.call(ctx, http.MethodGet, address, "", ""))
		r.At, r.TookMS = began, ms(o.now().Sub(began))
		o.add(r)
	}
}

// jwks fetches the published keys as CIS2 does.
func (o *check) jwks(ctx context.Context) {
	at := o.keysAt()
	if at == "" {
		return
	}
	began := o.now()
	a := o.web.call(ctx, http.MethodGet, at, "", "")
	r := row{
		Name: "jwks-reached", State: contract.Pass, Subject: at, Expected: "a JWK set, to anybody, without a redirect", Got: said(a.status),
		Clause: "RFC 7517, 5; NHS: private key JWT", Code: string(failure.RPJWKS), At: began, TookMS: ms(o.now().Sub(began)),
	}
	failed := func(got, remedy string) {
		r.State, r.Got, r.Remedy = contract.Fail, got, remedy
		o.add(r)
	}
	switch {
	case a.problem != "":
		failed(a.problem, "Publish the keys where CIS2 can fetch them, and start the application.")
		return
	case a.status >= 300 && a.status <= 399:
		failed(r.Got+" to "+where(a.header), "Publish the keys outside of everything that asks for a sign-in, and register the address that answers itself.")
		return
	case a.status != http.StatusOK:
		failed(r.Got, "Answer 200 with the JWK set to everybody who asks.")
		return
	case a.cut:
		failed("an answer of more than 64 KiB", "Publish the keys that sign alone.")
		return
	}
	keys, err := readJWKS(a.body)
	if err != nil {
		failed(err.Error(), "Answer with a JWK set: {\"keys\": […]}. A page in its place is often a sign-in's or a proxy's.")
		return
	}
	if kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); kind != "application/json" && kind != "application/jwk-set+json" {
		r.State, r.Evidence = contract.Warn, "its content type is "+printable(kind, mostKid)
		r.Remedy = "Send the keys as application/json or application/jwk-set+json: some libraries insist."
	}
	o.add(r)
	rows := append(judgeKeys(keys, o.party.Registration), cacheRow(a.header))
	for i := range rows {
		rows[i].Subject = at
	}
	o.add(rows...)
}

// longestCache is how long discovery, and so what is like it, may be kept (NHS:
// discovery).
const longestCache = time.Hour

// cacheRow is for how long others may keep the keys.
func cacheRow(header http.Header) row {
	r := row{Name: "jwks-cache", State: contract.Pass, Expected: "kept for an hour at most", Got: "no rule", Clause: "RFC 9111, 5.2; NHS: discovery", Code: string(failure.RPJWKS)}
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(header.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if name != "max-age" && name != "s-maxage" {
			continue
		}
		r.Got = printable(strings.TrimSpace(directive), mostKid)
		// A number too large is as large as can be (RFC 9111, 1.2.2).
		if seconds, _ := strconv.ParseUint(strings.Trim(value, `"`), 10, 64); seconds > uint64(longestCache/time.Second) {
			r.State, r.Remedy = contract.Warn, "Let the keys be kept for an hour at most: a key that was taken down goes on being trusted for as long."
		}
	}
	return r
}

// usage is what the mock saw the application do.
func (o *check) usage() {
	if o.party.Usage == nil {
		return
	}
	o.add(judgeUsage(o.party.Usage(o.party.ClientID), o.party.Registration)...)
}

// byHand is what nobody can look at from outside.
func (o *check) byHand() {
	r := unknown("discovery-cache", failure.RPCache, "", "not to be seen from outside", "NHS: discovery")
	r.Expected = "discovery is read at run time, and again after an hour at most"
	r.Remedy = "Give the mock a new key with `authbridge mock rotate` while the application runs, and see that the next sign-in succeeds within the hour, without a restart of the application."
	o.add(r)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// summary is the worst state, and all of it in one sentence.
func summary(rows []row) (contract.CheckState, string) {
	counts := map[contract.CheckState]int{}
	for _, r := range rows {
		counts[r.State]++
	}
	state := contract.Pass
	switch {
	case counts[contract.Fail] > 0:
		state = contract.Fail
	case counts[contract.Warn] > 0:
		state = contract.Warn
	}
	var parts []string
	for _, p := range []struct {
		state contract.CheckState
		word  string
	}{{contract.Fail, "failed"}, {contract.Warn, "to look at"}, {contract.Unknown, "not known"}, {contract.Pass, "passed"}} {
		if counts[p.state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[p.state], p.word))
		}
	}
	return state, strings.Join(slices.Clip(parts), ", ") + "."
}
