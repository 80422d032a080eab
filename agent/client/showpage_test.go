package client

import (
	"strings"
	"testing"

	"authbridge/agent/contract"
)

func TestTheFileThatLeadsToThePageEscapesItsAddress(t *testing.T) {
	t.Parallel()
	text := string(lead(contract.NewPage{URL: `http://x/"><script>`, Code: "c'"}.Entrance()))
	if strings.Contains(text, "<script>") || strings.Count(text, `"><`) != 0 {
		t.Error(text)
	}
}
