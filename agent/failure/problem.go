package failure

import "authbridge/agent/contract"

// Problem puts a failure into the words of the registry. A code that is a
// check's has the status 409, one that is not in the registry is INTERNAL.
func (e *Error) Problem() contract.Problem {
	const conflict = 409
	entry, ok := Lookup(e.Code)
	if !ok {
		entry, _ = Lookup(Internal)
	}
	if entry.Status == 0 {
		entry.Status = conflict
	}
	p := contract.Problem{
		Type:         "urn:authbridge:problem:" + string(entry.Code),
		Title:        entry.Title,
		Status:       entry.Status,
		Code:         string(entry.Code),
		Detail:       e.Detail,
		Remedy:       entry.Remedy,
		DOMException: entry.DOMException,
	}
	if e.Field != "" {
		p.Fields = []contract.Field{{Location: e.Field, Message: e.Detail}}
		p.Detail = e.Field + ": " + e.Detail
	}
	return p
}
