"""Bookkeeping of one sender: its images by sequence number, their copies, and the images that were lost."""

import secrets
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from host.receive.clash import ClashDetector
from host.receive.senders.rhythm import Rhythm
from host.receive.senders.track import NEAR, Certainty, Frame, Image, Step, Track
from wire.frame import SEQUENCES

# Key of an answer frame among the chunks of its image.
ANSWER = -1
# A track of so many images is the board's, and no longer gives way to a single other frame.
FIRM = 8
# After so many images of another track, a track is forgotten.
MAX_IDLE = 8


class Place(NamedTuple):
    """Place of a frame among those of its source."""

    image_number: int
    lost: int  # images missing just before it
    lost_so_far: int  # images missing in total, as known with this frame
    duplicate: bool  # this chunk of the image, or its answer, was received before
    late: bool  # a newer image was received before
    clash: bool = False  # two boards seem to send as this device
    certainty: Certainty = Certainty.EXACT  # of `lost`
    certainty_so_far: Certainty = Certainty.EXACT  # of `lost_so_far`
    unexpected: bool = False  # it continues none of the board's images: after a restart, of another board, or forged


class Counter(NamedTuple):
    """A counter that the device reported, and what had been received and lost by then."""

    value: int
    images: int
    lost: int
    certainty: Certainty
    time: float  # seconds, as given to `record`


def new_token() -> str:
    """Return a short text that no other source has: the time in milliseconds, and 16 random bits."""
    return f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(2)}"


@dataclass
class Source:
    """Frames of one device with one model, counted by their sequence numbers modulo 32 and by time.

    A gap in the numbers is g losses, or g + 32, and so on. The time since the newest image decides, if the device has
    a rhythm, or if it is too short for 32 images; else the count is "at least g" (`Certainty`). `counter` makes it
    exact again.

    A copy resembles the image with its number, and comes before the board can have sent a new image with that number:
    by the rhythm, or within REPEAT_S. All frames of an image carry the same answer if the model has an answer head.
    A frame that continues nothing begins a second track: after a restart, of another board with this number, or forged.
    If the first track goes on, the second costs it nothing; if only the second goes on, it takes the first one's place.
    """

    received: int = 0
    images: int = 0  # different ones
    lost: int = 0  # images of which nothing has been received (yet)
    duplicates: int = 0
    late: int = 0  # received after a newer image
    certainty: Certainty = Certainty.EXACT  # of `lost`
    first_heard: float = 0.0  # seconds, as given to `record`
    heard: float = 0.0
    rhythm: Rhythm = field(default_factory=Rhythm)
    tracks: list[Track] = field(default_factory=list)  # the board's, and perhaps a second one
    top: int = -1  # largest image number
    _boards: ClashDetector = field(default_factory=ClashDetector)
    last_counter: Counter | None = None
    # Begins the ids of its images, as image numbers begin anew when a device is forgotten.
    token: str = field(default_factory=new_token)

    @property
    def clash(self) -> bool:
        """True if two boards seem to send as this device."""
        return self._boards.found

    @property
    def expected_after(self) -> list[int]:
        """The sequence numbers after which the next ones are expected: one, or those of two tracks."""
        if not self.tracks:  # the board has reported that it has begun anew, and its next number
            return [(self.last_counter.value - 1) % SEQUENCES] if self.last_counter else []
        main, others = self.tracks[0], self.tracks[1:]
        doubtful = self.rhythm.interval_s is None or main.support < FIRM
        return [track.newest % SEQUENCES for track in [main, *(t for t in others if t.support > 1 or doubtful)]]

    def record(
        self, sequence: int, chunk: int, bits: np.ndarray, clean: bool, answer_bits: int = 0, now: float = 0.0
    ) -> Place:
        """Count a frame with this sequence number, and return its place.

        bits: (n,), of the payload, or of an answer frame's answer word with `chunk` ANSWER. clean: they are as they
        were sent. answer_bits: the number of bits at their start that are equal in all frames of an image. now: the
        time of its arrival in seconds, of any clock that never goes back.
        """
        frame = Frame(sequence, chunk, bits, clean, answer_bits, now)
        self.received += 1
        self.first_heard = self.first_heard if self.received > 1 else now
        self.heard = now
        steps = [(step, track) for track in self.tracks if (step := track.place(frame, self.rhythm))]
        if not steps:
            return self._new_track(frame)
        step, track = min(steps, key=lambda found: found[0].cost)
        return self._ahead(frame, step, track) if step.ahead > 0 else self._behind(frame, step, track)

    def counter(self, value: int, now: float = 0.0, restarted: bool = False) -> None:
        """Take the board's own 32-bit number of its next image, from a status. Its low 5 bits are the sequence number.

        The losses between two such numbers are exact. restarted: the board has started since its last status, so
        that its next image continues nothing, and values were skipped; a value below the last one shows the same.
        """
        last = self.last_counter
        if last and not restarted and 0 <= value - last.value < self.images - last.images:
            self.certainty = max(self.certainty, Certainty.AT_LEAST)
            return  # it does not count the images that are heard: a host commands them (RUN)
        if last and value >= last.value and not restarted:
            self.lost = last.lost + (value - last.value) - (self.images - last.images)
            self.certainty = last.certainty
        elif last or restarted:
            self.certainty = max(self.certainty, Certainty.AT_LEAST)
        if restarted or (last and value < last.value):
            self.tracks.clear()
        elif self.tracks and (ahead := (value - 1 - self.tracks[0].newest) % SEQUENCES) < SEQUENCES - NEAR:
            main = self.tracks[0]  # what has been sent after the newest image is lost, and counted here
            main.newest, main.heard = main.newest + ahead, now if ahead else main.heard
            self.lost += 0 if last else ahead
        self.last_counter = Counter(value, self.images, self.lost, self.certainty, now)

    def record_counter(
        self,
        counter: int,
        before: int | None,
        chunk: int,
        bits: np.ndarray,
        clean: bool,
        now: float = 0.0,
        taken: int = 0,
    ) -> Place:
        """Count a frame whose image has a certain 32-bit number, and return its place; otherwise as `record`.

        before: the largest number of the device so far, None if it is unknown. The images between are lost, except for
        the `taken` ones that other commands used up, and for numbers that the board skipped: see `advance`.
        """
        self.received += 1
        self.first_heard = self.first_heard if self.received > 1 else now
        self.heard = now
        start = counter - 1 if before is None else before
        main = self.tracks[0] if self.tracks and self.tracks[0].newest == start else Track(start, now, start, now)
        self.tracks, ahead = [main], counter - start
        if ahead > 0:
            main.begin(Image(counter, now, {chunk: (bits, clean)}), ahead, now)
            lost = ahead - 1 - taken
            self.images, self.lost, self.top = self.images + 1, self.lost + lost, counter
            return self._place_of(main, counter, lost, Certainty.EXACT)
        image = main.images.setdefault(counter, Image(counter, now))
        duplicate = chunk in image.chunks
        late = ahead < 0 and not duplicate
        if clean or not duplicate:
            image.chunks[chunk] = bits, clean
        image.heard = now
        self.duplicates += duplicate
        self.late += late
        return self._place_of(main, counter, 0, Certainty.EXACT)._replace(duplicate=duplicate, late=late)

    def contradicts(self, counter: int, chunk: int, bits: np.ndarray, answer_bits: int) -> bool:
        """Return True if a damaged frame is unlike those recorded of the image with this certain number."""
        image = self.tracks[0].images.get(counter) if self.tracks else None
        return image is not None and not image.is_alike(
            Frame(counter % SEQUENCES, chunk, bits, False, answer_bits, image.heard)
        )

    def advance(self, before: int, counter: int, now: float, restarted: bool, taken: int = 0) -> None:
        """Count the images after the number `before` up to `counter` as lost. The numbers are certain.

        restarted: the board may have started in between, and skipped numbers. taken: the number of these that other
        commands used up.
        """
        if restarted:
            self.certainty = max(self.certainty, Certainty.AT_LEAST)
        else:
            self.lost += counter - before - taken
        if self.tracks and self.tracks[0].newest == before:
            self.tracks[0].newest, self.tracks[0].heard = counter, now

    def _new_track(self, frame: Frame) -> Place:
        """Begin a track, in place of a second one. The first image of a source counts nothing as lost."""
        number = self._number_after_top(frame.sequence)
        track = Track(number, frame.now, number, frame.now)
        self._begin(frame, track, 0, number)
        if not self.tracks:
            self.tracks = [track]
            return self._place_of(track, number, 0, Certainty.EXACT)
        track.gap = self.tracks[0].gap_before(frame, self.rhythm)
        self.tracks = [self.tracks[0], track]
        self.certainty = max(self.certainty, Certainty.AT_LEAST)
        return self._place_of(track, number, 0, Certainty.AT_LEAST)

    def _ahead(self, frame: Frame, step: Step, track: Track) -> Place:
        """Add an image to a track."""
        main = self.tracks[0]
        lost, certainty, seconds = step.ahead - 1, step.certainty, frame.now - track.heard
        newest = track.images.get(track.newest)
        number = newest.number + step.ahead if newest else -1
        if number <= self.top:
            number = self._number_after_top(frame.sequence)
        self._begin(frame, track, step.ahead, number)
        if track is main:
            if step.ahead <= NEAR:
                self.rhythm.add(seconds / step.ahead)
            for other in self.tracks[1:]:
                other.idle += 1
            self.tracks = [main, *(other for other in self.tracks[1:] if other.idle <= MAX_IDLE)]
        elif main.heard < track.began:  # the board has begun anew
            lost, certainty = lost + track.gap, max(certainty, Certainty.AT_LEAST)
            main.idle, track.gap = 0, 0
            self.tracks = [track, main]
        self.lost += lost
        self.certainty = max(self.certainty, certainty)
        return self._place_of(track, number, lost, certainty)

    def _behind(self, frame: Frame, step: Step, track: Track) -> Place:
        """Add a late frame, a copy or another chunk to an image of a track."""
        index = track.newest + step.ahead
        image = track.images.get(index)
        if image is None:
            if index > track.first:  # else a repeater may be about to send copies
                self._boards.record(frame.sequence)
                self.lost -= 1
            self.images += 1
            newest = track.images.get(track.newest)
            number = (newest.number if newest else self.top) + step.ahead
            taken = {one.number for each in self.tracks for one in each.images.values()}
            image = Image(number if number not in taken else self._number_after_top(frame.sequence), frame.now)
            track.images[index] = image
            self.top = max(self.top, image.number)
        duplicate = frame.chunk in image.chunks
        late = step.ahead < 0 and not duplicate
        image.chunks.setdefault(frame.chunk, (frame.bits, frame.clean))
        image.heard = frame.now
        self.duplicates += duplicate
        self.late += late
        return self._place_of(track, image.number, 0, Certainty.EXACT)._replace(duplicate=duplicate, late=late)

    def _begin(self, frame: Frame, track: Track, ahead: int, number: int) -> None:
        self._boards.record(frame.sequence)
        self.images += 1
        self.top = number
        track.begin(Image(number, frame.now, {frame.chunk: (frame.bits, frame.clean)}), ahead, frame.now)

    def _number_after_top(self, sequence: int) -> int:
        """Return the smallest unused image number that equals a sequence number modulo 32."""
        return self.top + 1 + (sequence - self.top - 1) % SEQUENCES

    def _place_of(self, track: Track, number: int, lost: int, certainty: Certainty) -> Place:
        unexpected = track is not self.tracks[0]
        return Place(number, lost, self.lost, False, False, self.clash, certainty, self.certainty, unexpected)
