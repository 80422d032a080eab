package api

import (
	"encoding/json"
	"fmt"
	"sync"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
)

// maxVerdicts bounds the questions that are remembered for one snapshot; a
// question may name any user.
const maxVerdicts = 64

// verdicts remembers the answers that were given from the newest snapshot. A
// snapshot does not change and the judge is pure, so a test that asks in a
// loop, and a hundred that wait for the same, cost one judgement a snapshot.
type verdicts struct {
	judge func(contract.Question, *contract.Snapshot) contract.Verdict

	mu      sync.Mutex
	view    *inventory.View
	answers map[contract.Question]*answer
}

// answer is a verdict with its two encodings.
type answer struct {
	outcome contract.Outcome
	plain   []byte
	masked  []byte // for callers without the right identity
}

func (v *verdicts) answer(q contract.Question, view *inventory.View) (*answer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.view != view || len(v.answers) >= maxVerdicts {
		v.view, v.answers = view, make(map[contract.Question]*answer)
	}
	if a := v.answers[q]; a != nil {
		return a, nil
	}
	verdict := v.judge(q, view.Snapshot())
	plain, err := json.Marshal(verdict)
	if err != nil {
		return nil, fmt.Errorf("encode the verdict: %w", err)
	}
	masked, err := json.Marshal(maskVerdict(verdict, view))
	if err != nil {
		return nil, fmt.Errorf("encode the verdict: %w", err)
	}
	a := &answer{outcome: verdict.Outcome, plain: plain, masked: masked}
	v.answers[q] = a
	return a, nil
}
