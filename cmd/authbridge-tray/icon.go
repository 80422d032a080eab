package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
)

// iconSize is the side in dots; panels scale it to theirs.
const iconSize = 32

// icon is the picture of a state as PNG: the shapes and colours of the page's
// icon (agent/web/page/pic), so that colour is never all that tells them apart.
func icon(s state) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, draw(pictures[s])); err != nil {
		panic(err) // a buffer takes all, and the picture has a size
	}
	return b.Bytes()
}

// ico wraps a PNG as an icon file of Windows: a directory with one entry
// (ICONDIR, ICONDIRENTRY), and the PNG behind it.
func ico(picture []byte) []byte {
	const head = 6 + 16
	b := make([]byte, 0, head+len(picture))
	for _, word := range []uint16{0, 1, 1} { // reserved, an icon, one of them
		b = binary.LittleEndian.AppendUint16(b, word)
	}
	b = append(b, iconSize, iconSize, 0, 0)     // no palette
	b = binary.LittleEndian.AppendUint16(b, 1)  // plane
	b = binary.LittleEndian.AppendUint16(b, 32) // bits a dot
	b = binary.LittleEndian.AppendUint32(b, uint32(len(picture)))
	b = binary.LittleEndian.AppendUint32(b, head)
	return append(b, picture...)
}

// picture is which colour a point of a square of 32 by 32 has.
type picture func(x, y float64) color.NRGBA

var (
	white = color.NRGBA{255, 255, 255, 255}
	none  = color.NRGBA{}
	green = color.NRGBA{0x1a, 0x7f, 0x4b, 255}
	amber = color.NRGBA{0x8a, 0x5a, 0x00, 255}
	red   = color.NRGBA{0xb3, 0x26, 0x1e, 255}
	grey  = color.NRGBA{0x7a, 0x84, 0x92, 255}
)

var pictures = map[state]picture{
	ready:      disc,
	attention:  triangle,
	notReady:   octagon,
	notRunning: ring,
}

// disc with a tick.
func disc(x, y float64) color.NRGBA {
	switch {
	case near(x, y, 9, 16.5, 14, 21.5, 1.8) || near(x, y, 14, 21.5, 23, 11.5, 1.8):
		return white
	case math.Hypot(x-16, y-16) <= 14.5:
		return green
	}
	return none
}

// triangle with an exclamation mark.
func triangle(x, y float64) color.NRGBA {
	const slope = (30 - 3) / 14.5
	switch {
	case near(x, y, 16, 12, 16, 19, 1.8) || math.Hypot(x-16, y-25) <= 2.1:
		return white
	case y <= 30 && y >= 2+slope*math.Abs(x-16):
		return amber
	}
	return none
}

// octagon with a cross.
func octagon(x, y float64) color.NRGBA {
	dx, dy := math.Abs(x-16), math.Abs(y-16)
	switch {
	case near(x, y, 11, 11, 21, 21, 1.8) || near(x, y, 21, 11, 11, 21, 1.8):
		return white
	case dx <= 14.5 && dy <= 14.5 && dx+dy <= 20.5:
		return red
	}
	return none
}

// ring of dashes with a stroke.
func ring(x, y float64) color.NRGBA {
	_, part := math.Modf((math.Atan2(y-16, x-16)/(2*math.Pi) + 1) * 8)
	if r := math.Hypot(x-16, y-16); near(x, y, 10.5, 16, 21.5, 16, 2) || r >= 10.5 && r <= 15 && part < 0.62 {
		return grey
	}
	return none
}

// near is whether a point is within a distance of the line between two others.
func near(x, y, x1, y1, x2, y2, within float64) bool {
	dx, dy := x2-x1, y2-y1
	at := max(0, min(1, ((x-x1)*dx+(y-y1)*dy)/(dx*dx+dy*dy)))
	return math.Hypot(x-x1-at*dx, y-y1-at*dy) <= within
}

// draw gives each dot the mean of some points in it, so that edges are smooth.
func draw(p picture) *image.NRGBA {
	const points = 4 // along each side of a dot
	img := image.NewNRGBA(image.Rect(0, 0, iconSize, iconSize))
	for i := range iconSize * iconSize {
		var r, g, b, a int
		for j := range points * points {
			x := (float64(i%iconSize*points+j%points) + 0.5) / points
			y := (float64(i/iconSize*points+j/points) + 0.5) / points
			if c := p(x, y); c.A > 0 {
				r, g, b, a = r+int(c.R), g+int(c.G), b+int(c.B), a+1
			}
		}
		if a > 0 {
			img.SetNRGBA(i%iconSize, i/iconSize, color.NRGBA{uint8(r / a), uint8(g / a), uint8(b / a), uint8(255 * a / (points * points))})
		}
	}
	return img
}
