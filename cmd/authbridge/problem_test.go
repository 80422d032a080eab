package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"authbridge/agent/contract"
)

// TestWhatGoesWrongIsAWholeProblemForScripts: also what no daemon has said.
func TestWhatGoesWrongIsAWholeProblemForScripts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		code string
		exit int
		args []string
	}{
		{"BAD_REQUEST", exitUsage, []string{"ready", "--aal", "7"}},
		{"BAD_REQUEST", exitUsage, []string{"redy"}},
		{"BAD_REQUEST", exitUsage, []string{"status", "--nothing"}},
		{"NOT_RUNNING", exitNotReachable, []string{"status", "--state-dir", t.TempDir()}},
	} {
		var out, errs bytes.Buffer
		if code := Main(t.Context(), append(row.args, "--json"), &out, &errs); code != row.exit {
			t.Errorf("%v: exit code %d, want %d", row.args, code, row.exit)
		}
		var p contract.Problem
		if err := json.Unmarshal(errs.Bytes(), &p); err != nil || out.Len() > 0 {
			t.Errorf("%v: %v\n%s%s", row.args, err, out.String(), errs.String())
		}
		if p.Code != row.code || p.Type != "urn:authbridge:problem:"+row.code || p.Title == "" || p.Status < 400 || p.Detail == "" || p.Remedy == "" {
			t.Errorf("%v: %+v", row.args, p)
		}
	}
}
