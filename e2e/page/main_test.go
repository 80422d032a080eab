//go:build linux && e2e

package page_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
)

// runTime bounds the run of all specs, the browser's start included.
const runTime = 8 * time.Minute

// TestThePageInChromium runs the specs of this folder: worlds with scripted
// devices they ask for here, the daemon they start themselves.
func TestThePageInChromium(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "authbridge")
	must(t, "go", "build", "-o", binary, "../../cmd/authbridge")
	if _, err := os.Stat(filepath.Join("node_modules", "@axe-core")); errors.Is(err, fs.ErrNotExist) {
		must(t, "npm", "ci")
	}
	director := httptest.NewServer(&stage{t: t, worlds: make(map[string]*world)})
	defer director.Close()
	cmd := exec.CommandContext(t.Context(), "node", "node_modules/@playwright/test/cli.js", "test", "--reporter=list", "--output", t.TempDir())
	cmd.Env = append(os.Environ(), "AUTHBRIDGE="+binary, "STAGE="+director.URL)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// Playwright ends its browsers when it is asked to end.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	end := time.AfterFunc(runTime, func() { _ = cmd.Cancel() })
	defer end.Stop()
	if err := cmd.Run(); err != nil {
		t.Errorf("the specs: %v", err)
	}
}

func must(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// stage makes worlds for the specs, which run in another process.
type stage struct {
	t      *testing.T
	mu     sync.Mutex
	worlds map[string]*world
}

// world is a daemon's API in front of keys that a spec counts and changes.
type world struct {
	*apitest.Server
	keys    []health.Key
	hostile string

	mu    sync.Mutex // guards what follows
	asked []string
}

// ask notes that somebody is interested in a target.
func (w *world) ask(target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, target)
}

// ServeHTTP takes POST /worlds?keys=N&hostile=TEXT, and for a world
// /worlds/ID/flip?times=N, which changes its fifth key, N times, and
// /worlds/ID/asked, which gives the targets that somebody was interested in.
func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	number := func(name string) int {
		n, _ := strconv.Atoi(r.URL.Query().Get(name))
		return n
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /worlds", func(w http.ResponseWriter, r *http.Request) {
		made := &world{hostile: r.URL.Query().Get("hostile")}
		made.Server = apitest.Start(s.t, apitest.Options{Asked: made.ask})
		made.plug(number("keys"))
		id := fmt.Sprint("world-", len(s.worlds))
		s.worlds[id] = made
		made.observe(s.t)
		reply(w, map[string]string{"id": id, "url": made.URL, "token": made.Secret})
	})
	mux.HandleFunc("POST /worlds/{id}/asked", func(w http.ResponseWriter, r *http.Request) {
		world := s.worlds[r.PathValue("id")]
		world.mu.Lock()
		defer world.mu.Unlock()
		reply(w, append([]string{}, world.asked...))
	})
	mux.HandleFunc("POST /worlds/{id}/flip", func(w http.ResponseWriter, r *http.Request) {
		world := s.worlds[r.PathValue("id")]
		first := world.Inventory.View().ID()
		turned := world.keys[4].Condition == contract.InUse
		for range number("times") {
			key := &world.keys[4]
			if key.Condition = contract.InUse; turned {
				key.Condition = contract.Ready
			}
			turned = !turned
			world.observe(s.t)
		}
		last := world.Inventory.View().ID()
		reply(w, map[string]any{"epoch": first.String()[:len(first.String())-len(strconv.FormatUint(first.Seq, 10))-1], "first": first.Seq + 1, "last": last.Seq})
	})
	mux.ServeHTTP(w, r)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// plug makes the keys.
func (w *world) plug(keys int) {
	for i := range keys {
		key := apitest.Key(fmt.Sprintf("key-%04d", i))
		key.Product = w.hostile
		if w.hostile != "" {
			key.Name = w.hostile + strconv.Itoa(i)
		}
		w.keys = append(w.keys, key)
	}
}

// observe shows the keys as they are now.
func (w *world) observe(t *testing.T) {
	o := inventory.Observation{Keys: slices.Clone(w.keys)}
	if w.hostile != "" {
		card := apitest.Card("card-1", "Quillfeather Testina", "555012345678")
		card.Name, card.Reader, card.InsertedAt = w.hostile, "reader-1", w.keys[0].InsertedAt
		o.Cards = []health.Card{card}
		o.Readers = []contract.Reader{{ID: "reader-1", Name: w.hostile, Source: apitest.SourceName, Origin: contract.Virtual, Condition: contract.Mute, Code: "CARD_MUTE", Detail: w.hostile, Card: card.ID}}
	}
	w.Observe(t, o)
}
