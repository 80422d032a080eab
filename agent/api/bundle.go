package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
)

const (
	asZip = "application/zip"
	// bundleEvents bounds what is told of the journal.
	bundleEvents = 2000
)

type bundleOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        func(huma.Context)
}

// getBundle packs what the daemon knows, as whoever may not identify sees it,
// also for those who may: it is made to be sent to others. One is made at a time.
func (s *Server) getBundle(ctx context.Context, _ *struct{}) (*bundleOutput, error) {
	select {
	case s.bundling <- struct{}{}:
		defer func() { <-s.bundling }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	bundle := s.bundle(ctx)
	return &bundleOutput{ContentType: asZip, Disposition: `attachment; filename="authbridge-bundle.zip"`, Body: func(h huma.Context) {
		_, w := humago.Unwrap(h)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(streamWrite))
		if err := bundle.Write(w); err != nil {
			panic(http.ErrAbortHandler) // nobody is to take half of it for the whole
		}
	}}, nil
}

func (s *Server) bundle(ctx context.Context) *contract.Bundle {
	var b contract.Bundle
	view := s.config.Inventory.View()
	b.Add(contract.BundleSnapshot, view.Encoded(false), nil)
	// Nobody is said to be interested in these targets: a bundle calls no network.
	var verdicts []contract.Verdict
	for _, target := range s.config.Targets {
		for _, aal := range [...]int{2, 3} {
			verdicts = append(verdicts, maskVerdict(s.config.Judge(contract.Question{AAL: aal, Target: target}, view.Snapshot()), view))
		}
	}
	b.AddJSON(contract.BundleReadiness, verdicts)
	events, err := s.config.Inventory.Recent(ctx, bundleEvents)
	lines := make([][]byte, 0, len(events))
	for i := range events {
		line, _ := json.Marshal(&events[i]) // a test holds that it cannot fail
		lines = append(lines, line)
	}
	b.AddLines(contract.BundleEvents, lines, err)
	if s.config.Surroundings == nil {
		return &b
	}
	around := s.config.Surroundings(ctx)
	b.AddJSON(contract.BundleVersions, around.Versions)
	b.AddJSON(contract.BundleConfiguration, around.Configuration, around.Person)
	b.AddJSON(contract.BundleMachine, around.Machine, around.Person)
	names := holders(view)
	for i, line := range around.Log {
		around.Log[i] = []byte(names.Replace(string(line)))
	}
	b.AddLines(contract.BundleLog, around.Log, nil, around.Person)
	return &b
}

// holders hides the names on the cards that are here, in texts that should hold
// none. Short ones are parts of ordinary words, and what JSON would escape is no
// name.
func holders(view *inventory.View) *strings.Replacer {
	var pairs []string
	for _, a := range view.Snapshot().Authenticators {
		parts := strings.FieldsFunc(a.Holder, func(r rune) bool { return r == ' ' || r == '_' || r == ',' })
		for _, name := range append([]string{a.Holder}, parts...) {
			if len(name) >= 4 && !strings.ContainsAny(name, `"\`) {
				pairs = append(pairs, name, "***")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}
