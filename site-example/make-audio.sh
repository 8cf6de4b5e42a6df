#!/bin/sh
# Makes the sound, the pictures and the data set of this show, and the media of `everseed init`.
#
# The show does not need this file: it stands here so that every byte of the example has a source.
# Everything is synthetic: the hosts are speech synthesis, the sea is filtered noise, the tide readings are
# a sum of sines. The same versions of the tools give the same bytes.
#
# Needs: espeak-ng 1.51, sox 14.4.2 with its MP3 and Ogg formats, lame 3.100, ImageMagick 6.9, an awk, and the
# fonts of fonts-urw-base35. On Debian 12:
#   apt-get install espeak-ng sox libsox-fmt-base libsox-fmt-mp3 lame imagemagick fonts-urw-base35
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
init=$here/../templates/init
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

rate=44100

# --- sound ---------------------------------------------------------------------------------------------

# speak VOICE TEXT OUT: one line of speech, warmed a little and put into a small room.
speak() {
    espeak-ng -v "$1" -s 148 -g 2 -w "$tmp/raw.wav" "$2"
    sox -D "$tmp/raw.wav" -r $rate -c 1 -b 16 "$3" \
        gain -10 highpass 80 equalizer 220 1q +2 equalizer 3200 1q -2 \
        compand 0.01,0.2 6:-60,-45,-20 -4 -90 0.1 \
        pad 0 0.25 reverb 12 40 20 norm -3
}

# chord OUT NOTE NOTE NOTE NOTE: a plucked chord, for the beginning and for the end.
chord() {
    sox -D -R -n -r $rate -c 1 -b 16 "$1" \
        synth 4 pluck "$2" synth 4 pluck mix "$3" synth 4 pluck mix "$4" synth 4 pluck mix "$5" \
        lowpass 2600 reverb 40 50 60 fade t 0.01 4 2 norm -9
}

# A buoy's bell: partials that do not agree, dying away.
bell() {
    sox -D -n -r $rate -c 1 -b 16 "$1" \
        synth 4 sine 311 synth 4 sine mix 622.7 synth 4 sine mix 741 synth 4 sine mix 1244 synth 4 sine mix 1671 \
        fade l 0.004 4 3.9 norm -8
}

# tone HZ SECS OUT: a soft tone, the "light" of the first episode.
tone() {
    sox -D -n -r $rate -c 1 -b 16 "$3" synth "$2" sine "$1" synth "$2" sine mix "$1" fade h 0.08 "$2" 0.25 norm -9
}

silence() { # SECS OUT
    sox -D -n -r $rate -c 1 -b 16 "$2" trim 0 "$1"
}

# sea SECS OUT: two bands of noise that swell at different speeds.
sea() {
    sox -D -R -n -r $rate -c 1 -b 16 "$tmp/low.wav" synth "$1" brownnoise lowpass 500 tremolo 0.11 70 norm -6
    sox -D -R -n -r $rate -c 1 -b 16 "$tmp/high.wav" synth "$1" pinknoise gain -6 highpass 900 lowpass 5000 tremolo 0.083 85 norm -16
    sox -D -m "$tmp/low.wav" "$tmp/high.wav" -b 16 "$2" norm -6
}

stamp() { # SAMPLES: a WebVTT time
    awk -v s="$1" -v r=$rate 'BEGIN {
        ms = int(s * 1000 / r + 0.5)
        printf "%02d:%02d:%02d.%03d", int(ms / 3600000), int(ms / 60000) % 60, int(ms / 1000) % 60, ms % 1000
    }'
}

# programme NAME < SCRIPT: reads lines of `who|text`, writes NAME.wav and NAME.vtt in the temporary folder.
#   ines|..., bram|...  a line of speech, which becomes a cue
#   play|file           a sound of the temporary folder
#   wait|seconds        nothing
# The cues are as exact as the pieces are long: the length of each is read back in samples.
programme() {
    parts=
    at=0
    n=0
    printf 'WEBVTT\n' >"$tmp/$1.vtt"
    while IFS='|' read -r who text; do
        n=$((n + 1))
        piece=$tmp/$1-$n.wav
        name=
        case $who in
        ines) name=Ines && speak en-gb-x-rp+f3 "$text" "$piece" ;;
        bram) name=Bram && speak en-gb-scotland+m3 "$text" "$piece" ;;
        play) cp "$tmp/$text.wav" "$piece" ;;
        wait) silence "$text" "$piece" ;;
        esac
        end=$((at + $(soxi -s "$piece")))
        if [ -n "$name" ]; then
            printf '\n%s --> %s\n<v %s>%s\n' "$(stamp $at)" "$(stamp $end)" "$name" "$text" >>"$tmp/$1.vtt"
        fi
        at=$end
        parts="$parts $piece"
    done
    # shellcheck disable=SC2086 # the pieces' names hold no spaces
    sox -D $parts "$tmp/$1-dry.wav"
    sea "$(soxi -D "$tmp/$1-dry.wav")" "$tmp/$1-sea.wav"
    sox -D -m -v 1 "$tmp/$1-dry.wav" -v 0.06 "$tmp/$1-sea.wav" -b 16 "$tmp/$1.wav" fade t 0.3 -0 2 norm -1.5
}

# mp3 WAV OUT NUMBER TITLE LAME-OPTIONS...
mp3() {
    wav=$1 out=$2 number=$3 title=$4
    shift 4
    lame --quiet -m m "$@" --id3v2-only --ta "Tide Tables" --tl "Tide Tables" --ty 2026 --tg 101 \
        --tn "$number" --tt "$title" "$wav" "$out"
}

chord "$tmp/open.wav" D3 A3 D4 F#4
chord "$tmp/close.wav" D3 G3 B3 D4
bell "$tmp/bell.wav"

# Episode 1: three flashes every ten seconds, as tones.
tone 660 0.9 "$tmp/flash.wav"
silence 1.1 "$tmp/dark.wav"
silence 5.1 "$tmp/long-dark.wav"
sox -D "$tmp/flash.wav" "$tmp/dark.wav" "$tmp/flash.wav" "$tmp/dark.wav" "$tmp/flash.wav" "$tmp/long-dark.wav" "$tmp/flash.wav" "$tmp/light.wav"

programme ep001 <<'SCRIPT'
play|open
ines|This is Tide Tables, a quiet show about the coast, and about the numbers that people write down there. I am Ines Tarrow.
bram|And I am Bram Oake. Today: how to tell one lighthouse from another in the dark.
wait|0.4
ines|Every light on the chart has a character. It is a rhythm of light and darkness that none of its neighbours has.
bram|A flashing light is dark for longer than it is lit. An occulting light is lit for longer than it is dark. Where the two are equal, the light is isophase.
wait|0.3
ines|The lamp at Sallow Point flashes three times every ten seconds. Here it is as sound, from one first flash to the next.
play|light
wait|0.6
bram|Count those seconds with a watch, not by heart. Two lights of this bay differ by five seconds only.
ines|The other lights stand in the show notes. Good night.
play|close
SCRIPT
mp3 "$tmp/ep001.wav" "$here/content/ep001.mp3" 1 "The lamp at Sallow Point" --cbr -b 64
cp "$tmp/ep001.vtt" "$here/content/ep001.vtt"

# Episode 2: the rule of twelfths, as six steps of a rising tone; each step lasts as long as its share of the tide.
i=0
steps=
at=0
for share in 1 2 3 3 2 1; do
    i=$((i + 1))
    at=$((at + share))
    tone $((220 + at * 30)) "$(awk -v s=$share 'BEGIN { print 0.35 * s }')" "$tmp/step-$i.wav"
    steps="$steps $tmp/step-$i.wav"
done
# shellcheck disable=SC2086
sox -D $steps "$tmp/twelfths.wav"

programme ep002 <<'SCRIPT'
play|open
bram|This is Tide Tables. Today we read one: a page of the table for Kettle Bay, in March.
ines|A tide table says two things of each high and each low water: the time, and the height above chart datum. It says nothing of the hours between.
wait|0.3
bram|For those there is the rule of twelfths. From low water to high water takes about six hours.
ines|In the first hour the sea rises by one twelfth of the range. Then two twelfths. Then three, and three again. Then two, and at the last one.
bram|As sound: a tone for each hour, that lasts as long as the rise is large.
play|twelfths
wait|0.5
ines|So half of all the water comes in the two hours of the middle. That is the time not to stand on a sand bank.
bram|Wind and air pressure are in no table. A deep low lifts the sea by the width of a hand or more.
ines|Read the table, then look at the window. Good night.
play|close
SCRIPT
mp3 "$tmp/ep002.wav" "$here/content/ep002/reading-a-tide-table.mp3" 2 "How to read a tide table" --cbr -b 64
cp "$tmp/ep002.vtt" "$here/content/ep002/transcript.vtt"

# Episode 3: a receiver on an empty channel. The bit rate follows the sound: speech needs more of it than silence.
sox -D -R -n -r $rate -c 1 -b 16 "$tmp/static.wav" synth 6 pinknoise bandpass 1400 900 tremolo 0.4 30 fade h 0.5 6 1 norm -22
bell "$tmp/clock.wav"

programme ep003 <<'SCRIPT'
play|open
ines|This is Tide Tables. Today there is a clock in front of me, with coloured sectors on its face.
bram|It hung in the radio room of a ship. The red sectors last three minutes, and begin at a quarter past and a quarter to the hour.
ines|In those three minutes nobody sent on five hundred kilohertz. Every operator listened for a weak call that the traffic might have covered.
bram|The green sectors stand at the full hour and the half. They were for the voice channel, two thousand one hundred and eighty two kilohertz.
wait|0.3
ines|Here are some seconds of it.
play|static
bram|Since nineteen ninety nine, satellites and automatic receivers keep that watch. The clocks hang in kitchens now.
ines|Ours is four minutes slow. Good night.
play|clock
SCRIPT
mp3 "$tmp/ep003.wav" "$here/audio/ep003.mp3" 3 "Three minutes of silence" -V 6 --vbr-new
cp "$tmp/ep003.vtt" "$here/audio/ep003.vtt"

# --- the data set --------------------------------------------------------------------------------------

set_dir=$here/content/field-recordings

# Five constituents of an invented harbour: name, metres, degrees an hour, phase. The speeds are those of nature.
tide='
function tide(hour,    k, sum) {
    if (!ready) {
        split("1.62 0.54 0.31 0.11 0.09", amp, " ")                                  # M2 S2 N2 K1 O1
        split("28.9841042 30 28.4397295 15.0410686 13.9430356", speed, " ")
        split("40 95 310 20 170", phase, " ")
        ready = 1
    }
    sum = 3.1
    for (k = 1; k <= 5; k++) sum += amp[k] * cos((speed[k] * hour - phase[k]) * 3.14159265358979 / 180)
    return sum
}
# A generator of our own, because every awk has another rand().
function noise() { seed = (seed * 16807) % 2147483647; return seed / 2147483647 - 0.5 }
'

# readings MONTH DAYS FIRST-HOUR: a row every ten minutes.
readings() {
    awk -v month="$1" -v days="$2" -v first="$3" "$tide"'
    BEGIN {
        seed = 20260000 + first
        print "time_utc,height_m,predicted_m,pressure_hpa"
        for (i = 0; i < days * 144; i++) {
            hour = first + i / 6
            pressure = 1013 + 14 * sin(hour / 61) + 6 * sin(hour / 23 + 1) + noise() * 0.4
            predicted = tide(hour)
            height = predicted + (1013 - pressure) * 0.01 + noise() * 0.06
            printf "2026-%02d-%02dT%02d:%02dZ,%.3f,%.3f,%.1f\n",
                month, int(i / 144) + 1, int(i / 6) % 24, i % 6 * 10, height, predicted, pressure
        }
    }' >"$set_dir/readings/2026-0$1.csv"
}
readings 1 31 0
readings 2 28 744

# The two recordings: a bell buoy over the sea (lossless), and shingle (lossy).
sea 13 "$tmp/buoy-sea.wav"
silence 1.3 "$tmp/gap.wav"
sox -D "$tmp/gap.wav" "$tmp/bell.wav" "$tmp/gap.wav" "$tmp/bell.wav" "$tmp/bell.wav" "$tmp/buoy-bells.wav"
sox -D -m -v 0.6 "$tmp/buoy-bells.wav" -v 0.12 "$tmp/buoy-sea.wav" -r 22050 -b 16 "$tmp/buoy.wav" trim 0 13 fade t 0.5 13 2 norm -4
sox -D -R "$tmp/buoy.wav" -C 8 --comment "Title=Bell buoy, Sallow Point" "$set_dir/recordings/bell-buoy.flac"
sox -D -R -n -r 32000 -c 1 -b 16 "$tmp/shingle.wav" synth 18 pinknoise gain -6 highpass 700 tremolo 0.16 95 tremolo 7.3 30 fade t 1 18 2 norm -8
sox -D -R "$tmp/shingle.wav" -C 3 --comment "Title=Shingle, Kettle Bay" "$set_dir/recordings/shingle.ogg"

# --- pictures ------------------------------------------------------------------------------------------

# wave BASE HEIGHT LENGTH SHIFT COLOUR WIDTH: a polygon from a sine down to the picture's lower edge.
wave() {
    awk -v b="$1" -v h="$2" -v l="$3" -v s="$4" -v c="$5" -v w="$6" 'BEGIN {
        printf "fill %s polygon", c
        for (x = -10; x <= w + 10; x += 5) printf " %d,%.1f", x, b + h * sin((x + s) * 6.2831853 / l)
        printf " %d,%d %d,%d\n", w + 10, w + 10, -10, w + 10
    }'
}

# art MVG OUT QUALITY BACKGROUND: 1400 x 1400, drawn at twice the size so that the edges are smooth.
art() {
    {
        echo 'scale 2,2'
        echo 'stroke none'
        cat "$1"
    } >"$tmp/scaled.mvg"
    convert -size 2800x2800 "xc:$4" -draw "$(cat "$tmp/scaled.mvg")" -filter Lanczos -resize 1400x1400 \
        -colorspace sRGB -type TrueColor -strip -sampling-factor 4:4:4 -quality "$3" "$2"
}

ink='#10263f'
paper='#f4ead6'
sun='#e8673c'

# The gauge at the left edge: a long mark each fifth.
gauge() {
    awk -v c="$ink" 'BEGIN {
        print "fill " c
        for (i = 0; i <= 40; i++) printf "rectangle 0,%d %d,%d\n", 60 + i * 32, i % 5 ? 26 : 54, 64 + i * 32
    }'
}

lighthouse() { # X of its middle
    awk -v x="$1" -v ink="$ink" '
    function half(y) { return 46 + 24 * (y - 690) / 310 }
    function band(top, bottom, colour) {
        printf "fill \"%s\" polygon %.1f,%d %.1f,%d %.1f,%d %.1f,%d\n", colour,
            x - half(top), top, x + half(top), top, x + half(bottom), bottom, x - half(bottom), bottom
    }
    BEGIN {
        print "fill \"#fbd98c\" polygon " x ",640 -20,470 -20,700"
        print "fill " ink " polygon " x - 210 ",1130 " x - 130 ",1010 " x - 40 ",985 " x + 60 ",985 " x + 150 ",1020 " x + 260 ",1130"
        band(690, 760, "#c8452b"); band(760, 835, "#ffffff"); band(835, 900, "#c8452b"); band(900, 965, "#ffffff"); band(965, 1000, "#c8452b")
        print "fill " ink " rectangle " x - 66 ",676 " x + 66 ",692"
        print "fill \"#fbd98c\" rectangle " x - 34 ",606 " x + 34 ",676"
        print "fill " ink " rectangle " x - 3 ",606 " x + 3 ",676 rectangle " x - 38 ",598 " x + 38 ",608"
        print "fill " ink " polygon " x - 42 ",600 " x ",552 " x + 42 ",600 circle " x ",548 " x ",540"
    }'
}

{
    echo "fill '$sun' circle 480,1010 480,740"
    lighthouse 1050
    gauge
    wave 1040 16 420 0 "'#3f8f8c'" 1400
    wave 1120 20 520 160 "'#256a78'" 1400
    wave 1195 22 640 40 "'#174a63'" 1400
    wave 1285 16 760 300 "'$ink'" 1400
    echo "fill '$ink' font URWGothic-Demi font-size 214 text 112,262 'Tide' text 112,452 'Tables'"
    echo "fill '$paper' font URWGothic-Book font-size 40 text 112,1358 'a quiet show about the coast'"
} >"$tmp/cover.mvg"
art "$tmp/cover.mvg" "$here/cover.jpg" 84 "$paper"

# Art of the second episode: one tide of the rule of twelfths, an hour a bar.
{
    awk -v sun="$sun" 'BEGIN {
        split("1 3 6 9 11 12", level, " ")
        for (i = 1; i <= 6; i++) {
            x = 172 + (i - 1) * 182
            y = 1080 - level[i] * 56
            printf "fill \"%s\" rectangle %d,%d %d,1400\n", i == 3 || i == 4 ? sun : "#3f8f8c", x, y, x + 146
        }
    }'
    gauge
    wave 1130 20 520 160 "'#256a78'" 1400
    wave 1210 22 640 40 "'#174a63'" 1400
    wave 1285 16 760 300 "'$ink'" 1400
    echo "fill '$ink' font URWGothic-Demi font-size 120 text 112,210 'Twelfths'"
    echo "fill '$paper' font URWGothic-Book font-size 40 text 112,1358 'Tide Tables 2'"
} >"$tmp/art.mvg"
art "$tmp/art.mvg" "$here/content/ep002/art.jpg" 80 "$paper"

# A picture for the show notes: one day of the invented harbour.
{
    awk -v ink="$ink" "$tide"'
    function px(h) { return 90 + (h - 1416) * 44 }
    function py(m) { return 470 - m * 66 }
    BEGIN {
        printf "stroke none fill \"#bcd3c8\" polygon 90,470"
        for (h = 0; h <= 24.001; h += 0.1) printf " %.1f,%.1f", px(1416 + h), py(tide(1416 + h))
        print " 1146,470"
        print "stroke \"#d9cdb4\" stroke-width 2 fill none"
        for (m = 0; m <= 6; m++) print "line 90," py(m) " 1146," py(m)
        for (h = 0; h <= 24; h += 3) print "line " px(1416 + h) ",60 " px(1416 + h) ",470"
        # Short lines and no polyline, which this ImageMagick closes.
        print "stroke \"#174a63\" stroke-width 5 stroke-linecap round"
        for (h = 0.2; h <= 24.001; h += 0.2)
            printf "line %.1f,%.1f %.1f,%.1f\n", px(1415.8 + h), py(tide(1415.8 + h)), px(1416 + h), py(tide(1416 + h))
        print "stroke none fill \"" ink "\" font URWGothic-Book font-size 24"
        for (m = 0; m <= 6; m++) print "text 40," py(m) + 8 " \"" m " m\""
        for (h = 0; h <= 24; h += 3) printf "text %d,506 \"%02d:00\"\n", px(1416 + h) - 32, h
        print "font URWGothic-Demi"
        for (minute = 1; minute < 1440; minute++) {
            h = 1416 + minute / 60
            a = tide(h - 1 / 60); b = tide(h); c = tide(h + 1 / 60)
            if ((b > a && b >= c) || (b < a && b <= c)) {
                left = px(h) - 66 < 104 ? 104 : px(h) - 66
                printf "fill \"%s\" circle %.1f,%.1f %.1f,%.1f\n", "#c8452b", px(h), py(b), px(h), py(b) - 8
                printf "fill \"%s\" text %d,%d \"%02d:%02d  %.1f m\"\n", ink, left, py(b) + (b > a ? -20 : 40), int(minute / 60), minute % 60, b
            }
        }
    }'
} >"$tmp/curve.mvg"
convert -size 1200x540 "xc:$paper" -draw "$(cat "$tmp/curve.mvg")" +dither -colors 32 -strip \
    -depth 8 -define png:compression-filter=0 -define png:compression-level=9 -define png:exclude-chunks=all -define png:include-chunks=PLTE "$here/content/ep002/tide-curve.png"

# --- what `everseed init` writes -------------------------------------------------------------------------

if [ -d "$init" ]; then
    tone 523 0.35 "$tmp/i1.wav"
    tone 659 0.35 "$tmp/i2.wav"
    tone 784 0.9 "$tmp/i3.wav"
    speak en-gb-x-rp+f3 "This is your first episode. Put your own recording in its place, and build again." "$tmp/i4.wav"
    sox -D "$tmp/i1.wav" "$tmp/i2.wav" "$tmp/i3.wav" "$tmp/i4.wav" "$tmp/first.wav" norm -1.5
    lame --quiet -m m --cbr -b 48 --id3v2-only --tt "First episode" "$tmp/first.wav" "$init/content/first-episode.mp3"

    # A seed that sends: arcs over a leaf, no words.
    {
        awk 'BEGIN {
            split("#e3d3b0 #d7b98a #e8a06a #e8673c", colour, " ")
            for (i = 4; i >= 1; i--) {
                r = 230 + i * 115
                printf "fill \"%s\" circle 700,860 700,%d\n", colour[5 - i], 860 - r
                printf "fill \"%s\" circle 700,860 700,%d\n", "#f4ead6", 860 - r + 62
            }
        }'
        echo "fill '$paper' polygon 700,860 -800,1400 -800,2400 2200,2400 2200,1400"
        echo "fill '$ink' rectangle 0,1130 1400,1400"
        echo "fill '#174a63' rectangle 0,1130 1400,1150"
        echo "fill '#256a78' rectangle 690,950 710,1130"
        echo "fill '#3f8f8c' path 'M 700,960 C 560,950 490,850 480,720 C 620,730 700,820 700,960 Z'"
        echo "fill '#256a78' path 'M 700,960 C 840,950 910,850 920,720 C 780,730 700,820 700,960 Z'"
    } >"$tmp/init.mvg"
    art "$tmp/init.mvg" "$init/cover.jpg" 74 "$paper"
fi
