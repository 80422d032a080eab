//go:build linux && cgo

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/fido/vkey"
	"authbridge/pcsc/vcard"
	"authbridge/platform"
)

// place is where canaries are searched.
type place struct {
	name string
	data []byte
	// holds are canaries that are there in plain, and have to be: it is what the
	// place is for.
	holds []*canary
	// keeps is what the file is there for, in whatever form, and has nothing
	// else: the PIN of a virtual device, which the file is, or the key that the
	// mock signs with.
	keeps *canary
	// hashes: of tokens it may hold the SHA-256, by which they are known.
	hashes bool
}

// hunt is the program, with secrets that are found nowhere else.
type hunt struct {
	*program
	search  searcher
	card    *canary // the right PIN of the virtual card
	key     *canary // and of the key
	own     *canary // the token in the state folder
	app     *canary // the secret of somebody's authenticator app
	party   *canary // that of an application at the mock
	signing *canary // of the key that the mock signs with
	planted *canary // no secret: it has to be found, or the search finds nothing
	cardID  string
	keyID   string
	address string // of TCP
	folder  string // of what is not the daemon's: configuration, PIN files
	log     string
	newest  *canary
	first   string         // id before the first event
	said    sync.WaitGroup // who reads what the daemon writes
	streams sync.WaitGroup

	mu     sync.Mutex
	places []place
}

func startHunt(t *testing.T) *hunt {
	t.Helper()
	h := &hunt{program: buildProgram(t), search: make(searcher), folder: t.TempDir()}
	h.log = filepath.Join(h.folder, "log")
	h.planted = h.canary("planted", "plant "+rand.Text()[:8])
	h.card = h.canary("the right PIN of the card", digits(8))
	h.key = h.canary("the right PIN of the key", "PIN "+rand.Text()[:12])
	h.app = h.canary("the secret of an authenticator app", base32.StdEncoding.EncodeToString([]byte(rand.Text()[:20])))
	h.party = h.canary("the secret of an application", "of the application "+rand.Text())
	h.devices()
	h.configure("")
	h.writePIN("app.totp", h.app.value)
	h.begin()
	h.own = h.canary("the token in the state folder", string(h.read(filepath.Join(h.state, apiclient.TokenFile))))
	h.until("card and key are ready", h.ready)
	h.signing = h.signingKey()
	pin := func(id, name string) string {
		return fmt.Sprintf("[[pin]]\nauthenticator = %q\ntarget = \"mock\"\nfile = %q\n", id, h.file(name))
	}
	h.configure(pin(h.cardID, "card.pin") + pin(h.keyID, "key.pin"))
	h.writePIN("card.pin", h.card.value)
	h.writePIN("key.pin", h.key.value)
	h.stopped(syscall.SIGTERM)
	h.begin()
	h.until("card and key are ready", func(s *contract.Snapshot) bool {
		id, err := contract.ParseEventID(s.ID)
		must(t, err)
		h.first = contract.EventID{Epoch: id.Epoch}.String()
		return h.ready(s)
	})
	return h
}

// digits are those of a card's PIN.
func digits(n int) string {
	top := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	number, _ := rand.Int(rand.Reader, top)
	return fmt.Sprintf("%0*d", n, number)
}

// devices makes the virtual card and key of the embedded default before the
// program does, each with a PIN of its own.
func (h *hunt) devices() {
	folder := filepath.Join(h.state, "virtual")
	must(h.t, os.MkdirAll(folder, 0o700))
	must(h.t, os.Chmod(h.state, 0o700))
	ca, err := vcard.OpenCA(folder)
	must(h.t, err)
	profile := vcard.Profile{User: "555200000001", Surname: "Fotherington", Forename: "Araminta", Keys: vcard.ECCP256, PIN: h.card.value}
	_, err = vcard.OpenCard(filepath.Join(folder, "card-"+profile.User+".json"), profile, ca)
	must(h.t, err)
	key, err := vkey.New(vkey.Config{Name: "virtual-key-1", PIN: []byte(h.key.value)})
	must(h.t, err)
	must(h.t, key.Save(filepath.Join(folder, "key-virtual-key-1.json")))
}

func (h *hunt) ready(s *contract.Snapshot) bool {
	h.cardID, h.keyID = "", ""
	for _, a := range s.Authenticators {
		switch {
		case a.Condition != contract.Ready:
		case a.Kind == contract.Smartcard:
			h.cardID = a.ID
		case a.Kind == contract.SecurityKey:
			h.keyID = a.ID
		}
	}
	return h.cardID != "" && h.keyID != ""
}

func (h *hunt) file(name string) string { return filepath.Join(h.folder, name) }

func (h *hunt) read(file string) []byte {
	h.t.Helper()
	text, err := os.ReadFile(file)
	must(h.t, err)
	return text
}

func (h *hunt) writePIN(name, pin string) {
	h.t.Helper()
	must(h.t, os.WriteFile(h.file(name), []byte(pin+"\n"), 0o600))
}

func (h *hunt) configure(more string) {
	h.t.Helper()
	text := "listen = \"127.0.0.1:0\"\nlog_level = \"debug\"\nvirtual = \"on\"\nphysical = \"off\"\n\n[trace]\napdu = true\nctap = true\n\n" +
		"[mock]\nlisten = \"localhost:0\"\n\n" +
		fmt.Sprintf("[[mock.client]]\nid = %q\nredirects = [%q]\npattern = \"client_secret_post\"\nsecret = %q\n\n", partyID, partyRedirect, h.party.value) +
		fmt.Sprintf("[[user]]\nname = \"app\"\nuuid = { mock = %q }\ntotp_file = %q\n\n", appUser, h.file("app.totp")) + more
	must(h.t, os.WriteFile(h.file("config.toml"), []byte(text), 0o600))
}

// canary makes one that is searched for from now on.
func (h *hunt) canary(name, value string) *canary {
	c := &canary{name, value}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.search.add(c)
	h.newest = c
	return c
}

// wrong is a PIN that is refused, for one way only.
func (h *hunt) wrong(kind contract.Kind, way string) string {
	if kind == contract.Smartcard {
		return h.canary(way, digits(8)).value
	}
	return h.canary(way, "no "+rand.Text()[:14]).value
}

func (h *hunt) add(p place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.places = append(h.places, p)
}

// begin starts the daemon and follows its events as everybody.
func (h *hunt) begin() {
	h.t.Helper()
	log, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(h.t, err)
	defer log.Close()
	h.daemon = exec.Command(h.binary, "run", "--config", h.file("config.toml"), "--state-dir", h.state)
	h.daemon.Stderr = log
	out, err := h.daemon.StdoutPipe()
	must(h.t, err)
	must(h.t, h.daemon.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	address, ok := strings.CutPrefix(line, "listening on http://")
	if err != nil || !ok {
		h.t.Fatalf("it said %q, %v\n%s", line, err, h.read(h.log))
	}
	h.address = strings.TrimSpace(address)
	h.said.Go(func() {
		rest, _ := io.ReadAll(lines) // until the daemon ends
		h.add(place{name: "what the daemon wrote to standard output", data: append([]byte(line), rest...)})
	})
	h.process("the daemon", h.daemon.Process.Pid)
}

// stopped ends the daemon by a signal.
func (h *hunt) stopped(by syscall.Signal) {
	h.t.Helper()
	h.keep("before " + by.String())
	h.process("the daemon before "+by.String(), h.daemon.Process.Pid)
	must(h.t, h.daemon.Process.Signal(by))
	h.said.Wait()
	if err := h.daemon.Wait(); (err == nil) != (by == syscall.SIGTERM) {
		h.t.Errorf("the daemon ended by %s with %v\n%s", by, err, h.read(h.log))
	}
	h.streams.Wait()
	h.daemon = nil
	h.keep("after " + by.String())
}

// keep takes the state folder as it is now: database, virtual devices, token.
func (h *hunt) keep(when string) {
	h.t.Helper()
	err := filepath.WalkDir(h.state, func(file string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(h.state, file)
		p := place{name: "file " + name + " " + when, data: h.read(file), hashes: strings.HasPrefix(name, "authbridge.db")}
		switch base := filepath.Base(name); {
		case name == apiclient.TokenFile && h.own != nil:
			p.holds = []*canary{h.own}
		case strings.HasPrefix(base, "card-"):
			p.keeps = h.card
		case strings.HasPrefix(base, "key-"):
			p.keeps = h.key
		case strings.HasPrefix(name, "mock"):
			p.keeps = h.signing
		}
		h.add(p)
		return nil
	})
	must(h.t, err)
}

// process takes what everybody, or its user, may read of a process.
func (h *hunt) process(name string, pid int, holds ...*canary) {
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil || len(text) == 0 {
			continue // it is closed to this user, or has ended
		}
		p := place{name: file + " of " + name, data: text}
		if file == "environ" {
			p.holds = holds
		}
		h.add(p)
	}
}

// who asks: with a token, or over the socket as its user.
type who struct {
	name  string
	token *canary
}

// door is how a request comes in.
type door string

const (
	byTCP    door = "TCP"
	bySocket door = "socket"
)

func (h *hunt) transport(by door) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		if by == bySocket {
			return d.DialContext(ctx, "unix", platform.SocketIn(h.state))
		}
		return d.DialContext(ctx, "tcp", h.address)
	}}
}

// call is one request as anybody could write it. Its answer is a place.
type call struct {
	as            who
	by            door
	method, path  string
	kind, body    string
	header, value string // one more
	holds         func(answer []byte) []*canary
}

// answer is what came back; 0 that nothing did, because the caller went away.
type answer struct {
	status int
	body   []byte
}

func (h *hunt) do(ctx context.Context, c call) answer {
	h.t.Helper()
	request, err := http.NewRequestWithContext(ctx, c.method, "http://"+h.address+c.path, strings.NewReader(c.body))
	must(h.t, err)
	if c.by == bySocket {
		request.Host = "localhost"
	}
	if c.kind != "" {
		request.Header.Set("Content-Type", c.kind)
	}
	if c.as.token != nil {
		request.Header.Set("Authorization", "Bearer "+c.as.token.value)
	}
	if c.header == "Host" {
		request.Host = c.value
	} else if c.header != "" {
		request.Header.Set(c.header, c.value)
	}
	response, err := h.transport(c.by).RoundTrip(request)
	if err != nil {
		if ctx.Err() == nil && len(c.body) < 256<<10 { // more is not read to its end
			h.t.Errorf("%s %s: %v", c.method, c.path, err)
		}
		return answer{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil && ctx.Err() == nil {
		h.t.Errorf("%s %s: %v", c.method, c.path, err)
	}
	var whole bytes.Buffer
	must(h.t, response.Header.Write(&whole))
	whole.Write(body)
	p := place{name: fmt.Sprintf("the answer %d to %s %s by %s of %s", response.StatusCode, c.method, c.path, c.by, c.as.name), data: whole.Bytes()}
	if c.holds != nil {
		p.holds = c.holds(body)
	}
	h.add(p)
	return answer{response.StatusCode, body}
}

// post is a good request.
func (h *hunt) post(as who, by door, path, body string) answer {
	h.t.Helper()
	return h.do(h.t.Context(), call{as: as, by: by, method: http.MethodPost, path: path, kind: "application/json", body: body})
}

func (h *hunt) get(as who, path string) answer {
	h.t.Helper()
	return h.do(h.t.Context(), call{as: as, by: byTCP, method: http.MethodGet, path: path})
}

// want reads an answer.
func (h *hunt) want(a answer, status int, into any) {
	h.t.Helper()
	if a.status != status {
		h.t.Fatalf("%d instead of %d: %s", a.status, status, a.body)
	}
	if into != nil {
		must(h.t, json.Unmarshal(a.body, into))
	}
}

// refused reads a problem, or that of a ceremony that failed.
func (h *hunt) refused(a answer, code string) {
	h.t.Helper()
	var got struct {
		Code    string
		Problem struct{ Code string }
	}
	if err := json.Unmarshal(a.body, &got); err != nil || got.Code != code && got.Problem.Code != code {
		h.t.Errorf("not %s: %d %s", code, a.status, a.body)
	}
}

// token makes one that is a canary.
func (h *hunt) token(name string, rights ...contract.Right) who {
	h.t.Helper()
	made := who{name: "token " + name}
	body, err := json.Marshal(contract.TokenRequest{Name: name, Rights: rights})
	must(h.t, err)
	h.do(h.t.Context(), call{
		as: who{"own", h.own}, by: byTCP, method: http.MethodPost, path: "/v1/tokens", kind: "application/json", body: string(body),
		holds: func(answer []byte) []*canary {
			var got contract.NewToken
			must(h.t, json.Unmarshal(answer, &got))
			made.token = h.canary("token "+name, got.Secret)
			return []*canary{made.token}
		},
	})
	return made
}

// lent is a lease, and who its own token is.
type lent struct {
	contract.Lease
	own who
}

func (h *hunt) lease(as who, by door, id string) lent {
	h.t.Helper()
	var l lent
	body := fmt.Sprintf(`{"target":"mock","authenticator":%q,"ttl":"10m","wait":"1m","purpose":%q}`, id, h.planted.value)
	a := h.do(h.t.Context(), call{
		as: as, by: by, method: http.MethodPost, path: "/v1/leases", kind: "application/json", body: body,
		holds: func(answer []byte) []*canary {
			var got contract.NewLease
			must(h.t, json.Unmarshal(answer, &got))
			l.Lease, l.own = got.Lease, who{"lease of " + as.name, h.canary("the token of a lease of "+as.name, got.Token)}
			return []*canary{l.own.token, h.planted}
		},
	})
	h.want(a, http.StatusCreated, nil)
	return l
}

func (h *hunt) release(as who, by door, l lent) {
	h.t.Helper()
	h.want(h.do(h.t.Context(), call{as: as, by: by, method: http.MethodDelete, path: "/v1/leases/" + l.ID, kind: "application/json"}), http.StatusOK, nil)
}

// follow takes the events that somebody sees, until the daemon ends.
func (h *hunt) follow(as who, by door) {
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, "http://localhost/v1/events", nil)
	must(h.t, err)
	request.Host = "localhost"
	if by == byTCP {
		request.Host = h.address
	}
	if as.token != nil {
		request.Header.Set("Authorization", "Bearer "+as.token.value)
	}
	response, err := h.transport(by).RoundTrip(request)
	must(h.t, err)
	h.streams.Go(func() {
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body) // until the daemon ends
		p := place{name: "the events as " + as.name + " sees them", data: text}
		if bytes.Contains(text, []byte("lease")) {
			p.holds = []*canary{h.planted}
		}
		h.add(p)
	})
}

// replay takes all events that were kept, over all restarts, as somebody sees
// them.
func (h *hunt) replay(as who) {
	h.t.Helper()
	var now contract.Snapshot
	h.want(h.get(as, "/v1/status"), http.StatusOK, &now)
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.address+"/v1/events", nil)
	must(h.t, err)
	request.Header.Set("Authorization", "Bearer "+as.token.value)
	request.Header.Set("Last-Event-ID", h.first)
	response, err := h.transport(byTCP).RoundTrip(request)
	must(h.t, err)
	defer response.Body.Close()
	var all bytes.Buffer
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadBytes('\n')
		all.Write(line)
		if err != nil {
			h.t.Fatalf("event %s does not come: %v", now.ID, err)
		}
		if bytes.Equal(bytes.TrimSpace(line), []byte("id: "+now.ID)) {
			break
		}
	}
	h.add(place{name: "the journal as " + as.name + " sees it", data: all.Bytes(), holds: []*canary{h.planted}})
}

// reaches waits until a ceremony is in a state.
func (h *hunt) reaches(id string, states ...contract.CeremonyState) {
	h.t.Helper()
	h.sees(id, fmt.Sprint(states), func(c contract.Ceremony) bool { return slices.Contains(states, c.State) })
}

// sees waits until a ceremony is as wanted.
func (h *hunt) sees(id, what string, wanted func(contract.Ceremony) bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	c := h.client()
	defer c.Close()
	seen := errors.New("seen")
	var last contract.Ceremony
	err := c.Events(ctx, "", func(apiclient.Event) (err error) {
		if last, err = c.Ceremony(ctx, id, 0); err == nil && wanted(last) {
			err = seen
		}
		return err
	})
	if !errors.Is(err, seen) {
		h.t.Fatalf("%s is %s, not %s: %v %+v", id, last.State, what, err, last.Problem)
	}
}

// command runs the program as a command, and takes what it says and what can be
// seen of it while it runs.
func (h *hunt) command(stdin string, environ []string, holds []*canary, args ...string) (code int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.binary, args...)
	cmd.Env = append(os.Environ(), environ...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	must(h.t, err)
	must(h.t, cmd.Start())
	name := "authbridge " + strings.Join(args, " ")
	h.process(name, cmd.Process.Pid, holds...)
	_, _ = io.WriteString(in, stdin) // some read none
	h.process(name, cmd.Process.Pid, holds...)
	must(h.t, in.Close())
	err = cmd.Wait()
	h.add(place{name: "what " + name + " said", data: out.Bytes()})
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}
