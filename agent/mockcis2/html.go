package mockcis2

import "strings"

// The pages are made of nodes. Data gets into a page as text or as the value of
// an attribute, and both are escaped when they are written: there is no node
// that takes markup, but those of our own style and script, which are constants.
// (A template engine would cost 3.4 MB, docs/adr/0002.)
type node interface{ write(b *strings.Builder) }

// text is what a person reads.
type text string

func (t text) write(b *strings.Builder) { escape(b, string(t)) }

// tag and attrName are constants of the source: a variable of type string is
// none.
type (
	tag      string
	attrName string
)

// attribute is one of an element's; bare ones have no value.
type attribute struct {
	name  attrName
	value string
	bare  bool
}

func attr(name attrName, value string) attribute { return attribute{name: name, value: value} }

func flag(name attrName) attribute { return attribute{name: name, bare: true} }

// when is an attribute that may be left out.
func when(is bool, a attribute) attribute {
	if is {
		return a
	}
	return attribute{}
}

func (a attribute) write(b *strings.Builder) {
	if a.name == "" {
		return
	}
	b.WriteByte(' ')
	b.WriteString(string(a.name))
	if !a.bare {
		b.WriteString(`="`)
		escape(b, a.value)
		b.WriteByte('"')
	}
}

// element is a tag with what is in it: attributes among the children.
type element struct {
	tag   tag
	parts []node
}

func el(t tag, parts ...node) node { return element{t, parts} }

// empty are the elements that have no end (HTML, 13.1.2).
var empty = map[tag]bool{"meta": true, "link": true, "input": true, "br": true}

func (e element) write(b *strings.Builder) {
	b.WriteByte('<')
	b.WriteString(string(e.tag))
	for _, p := range e.parts {
		if a, ok := p.(attribute); ok {
			a.write(b)
		}
	}
	b.WriteByte('>')
	if empty[e.tag] {
		return
	}
	for _, p := range e.parts {
		if _, ok := p.(attribute); !ok && p != nil {
			p.write(b)
		}
	}
	b.WriteString("</")
	b.WriteString(string(e.tag))
	b.WriteByte('>')
}

// nodes are several, or none.
type nodes []node

func (n nodes) write(b *strings.Builder) {
	for _, one := range n {
		if one != nil {
			one.write(b)
		}
	}
}

// asset is the text of a style or script of ours.
type asset string

func (a asset) write(b *strings.Builder) { b.WriteString(string(a)) }

// escape is for text and for values in quotes. What XML and HTML do not allow
// at all becomes U+FFFD.
func escape(b *strings.Builder, s string) {
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&#34;")
		case r == '\'':
			b.WriteString("&#39;")
		case r < ' ' && r != '\n' && r != '\t' || r == 0x7f:
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
}
