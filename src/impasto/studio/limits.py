"""How much the studio takes, keeps and waits for."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0


@dataclass(frozen=True)
class Limits:
    """The limits of a studio. Times are in seconds.

    Attributes:
        max_bytes: of a picture's file.
        max_pixels: of a picture that is sent.
        max_size: longest side of a painting in pixels.
        json_bytes: of any other request's body.
        parts: of a form.
        body_wait: time without a byte of a body, after which it is given up.
        body_rate: bytes a second that a body must have on average.
        linger: time in which the rest of a body is taken after its refusal, so that the client reads the answer.
        pictures: that a session may keep.
        picture_bytes: of all pictures that a session keeps.
        all_picture_bytes: of all pictures of all sessions.
        picture_age: time after which a picture that nobody uses is forgotten.
        queue: jobs that may wait.
        own_queue: jobs of one session that may wait or be painted.
        results: ended jobs that a session may keep.
        result_bytes: of the paintings that a session keeps.
        all_result_bytes: of the paintings of all sessions.
        result_age: time after which an ended job that nobody asks for is forgotten.
        job_time: longest time that one job may be painted.
        leave: time after which the jobs of a session that was left are stopped, unless they are to be kept.
        sessions: that are known at a time.
        session_age: time after which a session that was left is forgotten.
        thumbnails: that may wait.
        kept_thumbnails: that are kept of one photograph.
        streams: of events that may be open.
        own_streams: of events that one session may have open.
        heartbeat: time between signs of life in a stream of events.
        frame: shortest time between two events.
        sweep: time between two looks for what is too old.
        attempts: wrong secrets a minute, after which no more are tried.
        clip_bytes: of a clip's file.
        clip_frames: of a clip.
        clip_pixels: of a frame of a clip.
        clip_size: longest side of a painted clip in pixels.
        clip_uploads: clips that may be sent at a time.
        disk_room: bytes that stay free on the disk with the clips.
        live: sessions that may paint live at a time.
        live_idle: time without a frame after which a session no longer paints live.
        live_pixels: of a frame that is painted live.
    """

    max_bytes: int = 64_000_000
    max_pixels: int = 110_000_000  # phones have 108 million
    max_size: int = 8192
    json_bytes: int = 256_000
    parts: int = 64
    body_wait: float = 20.0
    body_rate: float = 8_000.0
    linger: float = 10.0
    pictures: int = 60
    picture_bytes: int = 256_000_000
    all_picture_bytes: int = 1_000_000_000
    picture_age: float = 6 * HOUR
    queue: int = 16
    own_queue: int = 6
    results: int = 60
    result_bytes: int = 256_000_000
    all_result_bytes: int = 1_000_000_000
    result_age: float = 6 * HOUR
    job_time: float = 6 * HOUR
    leave: float = 90.0
    sessions: int = 1000
    session_age: float = 24 * HOUR
    thumbnails: int = 96
    kept_thumbnails: int = 256
    streams: int = 96
    own_streams: int = 12
    heartbeat: float = 15.0
    frame: float = 0.25
    sweep: float = 5.0
    attempts: int = 20
    clip_bytes: int = 160_000_000
    clip_frames: int = 3000
    clip_pixels: int = 9_500_000
    clip_size: int = 1024
    clip_uploads: int = 4
    disk_room: int = 500_000_000
    live: int = 2
    live_idle: float = 5.0
    live_pixels: int = 500_000
