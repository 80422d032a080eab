package contract

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestACheckThatLookedAtNothingTellsNoTime(t *testing.T) {
	text, err := json.Marshal(Check{Code: "KEY_GONE", State: Unknown})
	if err != nil || strings.Contains(string(text), "observed_at") {
		t.Errorf("%s, %v", text, err)
	}
	text, err = json.Marshal(Check{ObservedAt: time.Unix(1, 0)})
	if err != nil || !strings.Contains(string(text), `"observed_at":"1970-`) {
		t.Errorf("%s, %v", text, err)
	}
}
